"""The coordinator as the cluster has it: made from names, found by name, with pools that can be resized."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ray

from actors.coordinator import Coordinator
from actors.scale_desk import ScaleDesk, ScaleRequest
from actors.seed_workers import SeedWorkers
from cluster.seed_worker_actor import Pools, SeedWorkerActor
from staragents.config import Config
from staragents.seeds.seed_file import SeedScan


def coordinator_name(run_name: str) -> str:
    return f"staragents-{run_name}"


class CoordinatorActor(Coordinator):
    """A Coordinator made from names, so that Ray can restart it from its arguments."""

    def __init__(
        self,
        config: Config,
        scan: SeedScan,
        pools: Pools,
        workers: list[str],
        facts: dict[str, Any],
        cache: Path | None,
    ) -> None:
        """Without names of `workers` it works on the seeds itself."""
        self._replicas = {name: (m.min_replicas, m.max_replicas) for name, m in config.models.items()}
        self._workers: SeedWorkers | SeedWorkerActor = (
            SeedWorkers([ray.get_actor(name) for name in workers], config.run)
            if workers
            else SeedWorkerActor(config, pools, cache)
        )
        memory = ray.get_actor(pools.memory) if pools.memory else None
        super().__init__(config, scan, self._workers, memory, facts)
        self._desk = ScaleDesk()

    async def status(self) -> dict[str, Any]:
        """With the size every pool is meant to have."""
        status = await super().status()
        sizes: dict[str, dict[str, int]] = {
            f"models.{name}": {"min": low, "max": high} for name, (low, high) in self._replicas.items()
        }
        sizes |= {f"scoring.{role}": {"min": n, "max": n} for role, n in status["scorers"].items()}
        return {**status, "pools": sizes}

    # -- for `staragents scale`, in another process ------------------------------------------------------

    async def scale(self, pool: str, low: int, high: int) -> str:
        """Ask the driver for another size; returns why it could not be done, or an empty text."""
        return await self._desk.ask(pool, low, high)

    # -- for the driver, which owns the pools ------------------------------------------------------------

    async def next_scale(self) -> ScaleRequest:
        return await self._desk.next()

    async def scaled(self, number: int, problem: str) -> None:
        self._desk.answer(number, problem)

    async def resize_model(self, name: str, low: int, high: int) -> None:
        """Send a model what `high` replicas can hold."""
        self._replicas[name] = (low, high)
        await self._workers.tell("resize_model", name, high)

    async def add_scorer(self, role: str, name: str) -> None:
        await self._workers.tell("add_scorer", role, name)

    async def remove_scorer(self, role: str, name: str) -> None:
        """Returns when the scorer has nothing to do any more."""
        await self._workers.tell("remove_scorer", role, name)
