"""The seeds between their draw and their commit, in the order of their commit."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from actors.admitted import Admitted
from staragents.base.records import Candidate


class PendingSeeds:
    """A queue: seeds are added as they are drawn, and taken as they are committed."""

    def __init__(self) -> None:
        self._seeds: deque[Admitted] = deque()

    def __len__(self) -> int:
        return len(self._seeds)

    def add(self, seed: Admitted) -> None:
        self._seeds.append(seed)

    def take(self) -> Admitted:
        """Remove the seed that is committed next."""
        return self._seeds.popleft()

    @property
    def next_task(self) -> asyncio.Future[list[Candidate]] | None:
        """Of the seed that is committed next; None without one, or if it was not started."""
        return self._seeds[0].task if self._seeds else None

    @property
    def in_work(self) -> int:
        """The number of seeds that were started."""
        return sum(seed.task is not None for seed in self._seeds)

    @property
    def done(self) -> int:
        """The number of seeds that wait for nothing but their commit."""
        return sum(seed.task is not None and seed.task.done() for seed in self._seeds)

    def finished(self) -> list[tuple[Admitted, list[Candidate]]]:
        """All seeds that are finished and must be saved before their commit."""
        return [(seed, candidates) for seed in self._seeds if (candidates := seed.early)]

    def cancel(self) -> None:
        for seed in self._seeds:
            if seed.task is not None:
                seed.task.cancel()

    def state(self) -> list[dict[str, Any]]:
        return [seed.state() for seed in self._seeds]
