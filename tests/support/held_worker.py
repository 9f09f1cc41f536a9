"""A seed worker that finishes some seeds late or never."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from actors.seed_worker import SeedWorker, WorkState
from staragents.base.records import Candidate, Seed
from staragents.config import Config
from staragents.evolution.policy import Draw, DrawContext
from tests.support.local_run import local_run


class HeldWorker:
    """Holds the seed in each row of `after` until those in the rows named with it are finished."""

    def __init__(self, worker: SeedWorker, after: Mapping[int, set[int]]) -> None:
        self._worker = worker
        self._after = after
        self._one_finished = asyncio.Condition()
        self.finished: list[int] = []
        """Rows, in the order in which their seeds finished."""

    async def run(self, seed: Seed, draws: Sequence[Draw], context: DrawContext) -> list[Candidate]:
        candidates = await self._worker.run(seed, draws, context)
        async with self._one_finished:
            await self._one_finished.wait_for(lambda: self._after.get(seed.row, set()) <= set(self.finished))
            self.finished.append(seed.row)
            self._one_finished.notify_all()
        return candidates

    async def state(self) -> WorkState:
        return await self._worker.state()

    async def stop(self) -> None:
        await self._worker.stop()


async def resumed_rows(config: Config) -> list[int]:
    """Resume to the end; the rows of the seeds that it processed."""
    workers: list[HeldWorker] = []

    def counted(make: Callable[[], SeedWorker]) -> HeldWorker:
        workers.append(HeldWorker(make(), {}))
        return workers[0]

    await local_run(config, workers=counted)
    return sorted(workers[0].finished)
