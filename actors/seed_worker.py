"""Runs the pipeline of seeds, with its own clients for models and scorers."""

from __future__ import annotations

import asyncio
import uuid
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from actors.as_finished import as_finished
from actors.generator_client import GeneratorClient, ModelCounters
from actors.scorer_pool import ScorerPool
from actors.seed_messages import pack_finished, unpack_work
from actors.seed_pipeline import SeedPipeline
from staragents.base.records import Candidate, Seed
from staragents.config import Config
from staragents.evolution.policy import Draw, DrawContext

Work = tuple[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class WorkState:
    """Snapshot of one worker process: counters and queue sizes."""

    process: str
    """Id that changes with every restart."""
    counters: dict[str, ModelCounters]
    """By model, since this process started."""
    outstanding: dict[str, int]
    """Characters queued for or at a scorer, by role."""
    scorers: dict[str, int]
    """Number of scorer actors, by role."""


class Worker(Protocol):
    """Runs seeds for the coordinator: in its process (SeedWorker) or in several (SeedWorkers)."""

    async def run(self, seed: Seed, draws: Sequence[Draw], context: DrawContext) -> list[Candidate]:
        """The seed's candidates, in the order of the draws. Raises RunFailed if its worker keeps dying."""
        ...

    async def state(self) -> WorkState: ...

    async def stop(self) -> None:
        """Cancel the seeds in flight."""
        ...


class SeedWorker:
    """Runs in the coordinator's process or as an actor of its own."""

    def __init__(
        self,
        config: Config,
        generators: GeneratorClient,
        target: ScorerPool,
        larger: ScorerPool,
        same_tokenizer: bool,
        kept: int = 0,
    ) -> None:
        """The last `kept` results are kept for a coordinator that was restarted and asks again."""
        self.generators = generators
        self.scorers = {"target": target, "larger": larger}
        self._pipeline = SeedPipeline(config, generators.generate, target, larger, same_tokenizer)
        self._kept = kept
        self._process = uuid.uuid4().hex
        self._work: OrderedDict[Work, asyncio.Task[list[Candidate]]] = OrderedDict()

    async def run(self, seed: Seed, draws: Sequence[Draw], context: DrawContext) -> list[Candidate]:
        """See Worker. A seed that is in flight or kept is not run again."""
        work = (seed.seed_id, tuple(drawn.pair for drawn in draws))
        if work not in self._work:
            self._work[work] = asyncio.ensure_future(self._pipeline.run(seed, draws, context))
        try:
            return await asyncio.shield(self._work[work])
        finally:
            self._forget()

    async def run_many(self, work: bytes) -> AsyncIterator[bytes]:
        """Run the seeds that `pack_work` made. Yields what `unpack_finished` reads, as they finish."""
        runs = [asyncio.ensure_future(self.run(*one)) for one in unpack_work(work)]
        async for done in as_finished(runs):
            yield pack_finished([(index, runs[index].result()) for index in done])

    async def state(self) -> WorkState:
        return WorkState(
            self._process,
            self.generators.counters,
            {role: pool.outstanding for role, pool in self.scorers.items()},
            {role: pool.size for role, pool in self.scorers.items()},
        )

    async def stop(self) -> None:
        for task in self._work.values():
            task.cancel()

    def _forget(self) -> None:
        finished = [work for work, task in self._work.items() if task.done()]
        for work in finished[: max(0, len(finished) - self._kept)]:
            del self._work[work]
