"""The coordinator as the cluster has it: made from names, found by name, with pools that can be resized."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ray

from actors.coordinator import Coordinator
from actors.desk import Answer, ChangeRequest, Desk, Request, ScaleRequest
from actors.seed_workers import SeedWorkers
from cluster.seed_worker_actor import Pools, SeedWorkerActor
from staragents.config import Config
from staragents.redaction import guard_logs
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
        session: str,
        cache: Path | None,
    ) -> None:
        """Without names of `workers` it works on the seeds itself."""
        guard_logs()
        self._sizes = {f"models.{key}": (m.min_replicas, m.max_replicas) for key, m in config.models.items()}
        for role, scorer in (("target", config.scoring.target), ("larger", config.scoring.larger)):
            self._sizes[f"scoring.{role}"] = (scorer.replicas, scorer.most_replicas)
        self._workers: SeedWorkers | SeedWorkerActor = (
            SeedWorkers([ray.get_actor(name) for name in workers], config.run)
            if workers
            else SeedWorkerActor(config, pools, cache)
        )
        memory = ray.get_actor(pools.memory) if pools.memory else None
        super().__init__(config, scan, self._workers, memory, facts, session)
        self._desk = Desk()

    async def status(self) -> dict[str, Any]:
        """With the size every pool is meant to have."""
        sizes = {key: {"min": low, "max": high} for key, (low, high) in self._sizes.items()}
        return {**await super().status(), "pools": sizes}

    # -- for `staragents scale` and `change`, in another process -----------------------------------------

    async def scale(self, pool: str, low: int, high: int) -> Answer:
        """Ask the driver for another size of a pool."""
        return await self._desk.ask(ScaleRequest(pool, low, high))

    async def change(self, overrides: tuple[str, ...]) -> Answer:
        """Ask the driver to go on with other settings."""
        return await self._desk.ask(ChangeRequest(overrides))

    # -- for the driver, which owns the pools ------------------------------------------------------------

    async def next_request(self) -> tuple[int, Request]:
        return await self._desk.next()

    async def answer(self, number: int, answer: Answer) -> None:
        self._desk.answer(number, answer)

    async def resized(self, pool: str, low: int, high: int) -> None:
        """A pool may have so many replicas: a model is sent what `high` can hold."""
        self._sizes[pool] = (low, high)
        section, _, name = pool.partition(".")
        if section == "models":
            await self._workers.tell("resize_model", name, high)

    async def load(self) -> dict[str, int]:
        """Characters that wait for scorers or are at one, by role."""
        return (await self._workers.state()).outstanding

    async def add_scorer(self, role: str, name: str) -> None:
        await self._workers.tell("add_scorer", role, name)

    async def remove_scorer(self, role: str, name: str) -> None:
        """Returns when the scorer has nothing to do any more."""
        await self._workers.tell("remove_scorer", role, name)
