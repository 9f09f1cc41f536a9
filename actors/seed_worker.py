"""Carries seeds through everything, with ways of its own to models and scorers."""

from __future__ import annotations

import asyncio
import uuid
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from actors.generator_client import GeneratorClient, ModelCounters
from actors.scorer_pool import ScorerPool
from actors.seed_pipeline import SeedPipeline
from staragents.config import Config
from staragents.evolution.policy import Drawn, Neighbour
from staragents.records import Candidate, Seed

Work = tuple[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class WorkState:
    """What goes on where seeds are worked on."""

    process: str
    """Another one after every restart."""
    counters: dict[str, ModelCounters]
    """Of every model, since this process began."""
    outstanding: dict[str, int]
    """Characters that wait for a scorer or are at one, by role."""
    scorers: dict[str, int]
    """Actors of each role."""


class Worker(Protocol):
    """Where the coordinator has seeds worked on: here, or in several processes (SeedWorkers)."""

    async def run(
        self, seed: Seed, draws: Sequence[Drawn], neighbours: Sequence[Neighbour]
    ) -> list[Candidate]:
        """All candidates of the seed, in the order of the draws. Raises RunFailed if that can't be had."""
        ...

    async def state(self) -> WorkState: ...

    async def stop(self) -> None:
        """Nobody will ask for what is in work."""
        ...


class SeedWorker:
    """In the coordinator's process, or an actor beside it."""

    def __init__(
        self,
        config: Config,
        generators: GeneratorClient,
        target: ScorerPool,
        larger: ScorerPool,
        same_tokenizer: bool,
        kept: int = 0,
    ) -> None:
        """The last `kept` results stay here, in case whoever asked for them is gone and asks again."""
        self.generators = generators
        self.scorers = {"target": target, "larger": larger}
        self._pipeline = SeedPipeline(config, generators.generate, target, larger, same_tokenizer)
        self._kept = kept
        self._process = uuid.uuid4().hex
        self._work: OrderedDict[Work, asyncio.Task[list[Candidate]]] = OrderedDict()

    async def run(
        self, seed: Seed, draws: Sequence[Drawn], neighbours: Sequence[Neighbour]
    ) -> list[Candidate]:
        """See Worker. A seed that is in work or kept is not worked on again."""
        work = (seed.seed_id, tuple(drawn.pair for drawn in draws))
        if work not in self._work:
            self._work[work] = asyncio.ensure_future(self._pipeline.run(seed, draws, neighbours))
        try:
            return await asyncio.shield(self._work[work])
        finally:
            self._forget()

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
