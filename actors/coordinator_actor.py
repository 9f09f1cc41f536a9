"""The coordinator as a named Ray actor that can be rebuilt from its arguments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ray

from actors.control import AddScorer, RemoveScorer, ResizeModel
from actors.coordinator import Coordinator
from actors.logs import configure_logs
from actors.request_queue import Answer, ChangeRequest, Request, RequestQueue, ScaleRequest
from actors.seed_worker_actor import Pools, SeedWorkerActor
from actors.seed_workers import SeedWorkers
from actors.server_remarks import later_remarks
from actors.working_dir import enter_working_dir
from staragents.config import Config
from staragents.data.seed_scan import SeedScan


class CoordinatorActor(Coordinator):
    """A Coordinator that takes actor names instead of handles, so that Ray can restart it."""

    def __init__(
        self,
        config: Config,
        given: Config,
        scan: SeedScan,
        pools: Pools,
        workers: list[str],
        facts: dict[str, Any],
        session: str,
        cache: Path | None,
    ) -> None:
        """Without names in `workers`, it runs the seeds in its own process."""
        configure_logs()
        enter_working_dir()
        self._sizes = {f"models.{key}": (m.min_replicas, m.max_replicas) for key, m in config.models.items()}
        for role, scorer in (("target", config.scoring.target), ("larger", config.scoring.larger)):
            self._sizes[f"scoring.{role}"] = (scorer.replicas, scorer.most_replicas)
        self._workers: SeedWorkers | SeedWorkerActor = (
            SeedWorkers([ray.get_actor(name) for name in workers], config.run)
            if workers
            else SeedWorkerActor(config, pools, cache)
        )
        memory = ray.get_actor(pools.memory) if pools.memory else None
        super().__init__(config, scan, self._workers, memory, facts, session, given)
        self._requests = RequestQueue()
        self._pools = pools

    async def later_facts(self) -> dict[str, Any]:
        """What servers no longer took, or answered otherwise than at the start."""
        servers = await later_remarks(self.config, self._pools.generators, self._pools.servers)
        return {"servers": servers} if servers else {}

    async def status(self) -> dict[str, Any]:
        """Status including the target size of every pool."""
        sizes = {key: {"min": low, "max": high} for key, (low, high) in self._sizes.items()}
        return {**await super().status(), "pools": sizes}

    # -- for `staragents scale` and `change`, in another process -----------------------------------------

    async def scale(self, pool: str, low: int, high: int) -> Answer:
        """Ask the driver to resize a pool."""
        return await self._requests.ask(ScaleRequest(pool, low, high))

    async def change(self, overrides: tuple[str, ...]) -> Answer:
        """Ask the driver to continue with other settings."""
        return await self._requests.ask(ChangeRequest(overrides))

    # -- for the driver, which owns the pools ------------------------------------------------------------

    async def next_request(self) -> tuple[str, Request]:
        return await self._requests.next()

    async def answer(self, request_id: str, answer: Answer) -> None:
        self._requests.answer(request_id, answer)

    async def resized(self, pool: str, low: int, high: int) -> None:
        """Record a pool's new size; a model's in-flight limit follows `high`."""
        self._sizes[pool] = (low, high)
        section, _, name = pool.partition(".")
        if section == "models":
            await self._workers.tell(ResizeModel(name, low, high))

    async def load(self) -> dict[str, int]:
        """Characters queued for or at a scorer, by role."""
        return (await self._workers.state()).outstanding

    async def add_scorer(self, role: str, name: str) -> None:
        await self._workers.tell(AddScorer(role, name))

    async def remove_scorer(self, role: str, name: str) -> None:
        """Returns when the scorer is idle."""
        await self._workers.tell(RemoveScorer(role, name))
