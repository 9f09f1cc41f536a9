"""The memory bank of a replay: applies a run's rules for storing and recalling, in arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from staragents.config import Keep, MemoryConfig
from staragents.evolution.policy import Outcome, RecalledOutcomes
from staragents.memory.memory import DIGITS, kept
from staragents.replay.nearness import Nearness


class Recollection:
    """One point per seed, as in a run: with all its outcomes (`memory.keep: outcomes`), or with its winner,
    if it earned more than `memory.min_reward` (`winners`); these are not recalled before `memory.warmup`
    seeds per pair.

    It recalls the `memory.neighbours` most similar points with a cosine of at least `memory.min_similarity`.
    A table is far smaller than `memory.max_points`, so nothing is evicted. A later pass over the table adds
    points.
    """

    def __init__(
        self,
        nearness: Nearness,
        config: MemoryConfig,
        agents: Sequence[str],
        rows: int,
        passes: int,
        draws: int,
    ) -> None:
        self._nearness = nearness
        self._config = config
        winners = config.keep is Keep.winners
        self._warmup = config.warmup * len(agents) if winners else 0
        self._turns = 0
        width = 1 if winners else draws
        self._points = np.zeros(rows, dtype=np.intp)
        self._pairs = np.zeros((rows, passes, width), dtype=np.intp)
        self._rewards = np.zeros((rows, passes, width))
        self._won = np.zeros((rows, passes, width), dtype=np.bool_)
        self._index = {agent: index for index, agent in enumerate(agents)}
        # Arrays of objects: indexing them is how hundreds of names a turn are looked up fast.
        self._agents = np.array(agents, dtype=object)
        self._names = np.array([str(row) for row in range(rows)], dtype=object)

    def remember(self, row: int, outcomes: Sequence[Outcome]) -> None:
        """Store the outcomes of a seed whose instruction is `row`."""
        self._turns += 1
        outcomes = kept(self._config, outcomes)
        if outcomes:
            point = self._points[row]
            self._pairs[row, point] = [self._index[one.pair] for one in outcomes]
            self._rewards[row, point] = [one.reward for one in outcomes]
            self._won[row, point] = [one.winner for one in outcomes]
            self._points[row] += 1

    def recall(self, row: int) -> RecalledOutcomes:
        """The outcomes of the points nearest to instruction `row`, most similar first."""
        if self._turns < self._warmup or not self._turns:
            return RecalledOutcomes()
        number = self._config.neighbours
        rows, cosines = self._nearness.nearest(row, self._points > 0, number)
        if self._config.min_similarity > -1:
            near = cosines >= self._config.min_similarity
            rows, cosines = rows[near], cosines[near]
        points = self._points[rows]
        if self._pairs.shape[1] > 1:
            rows, cosines = rows.repeat(points)[:number], cosines.repeat(points)[:number]
        visits = self._visits(points)[:number]
        pairs = self._pairs[rows, visits]
        width = pairs.shape[1]
        return RecalledOutcomes(
            tuple(self._names[rows].repeat(width).tolist()),
            tuple(self._agents[pairs.ravel()].tolist()),
            self._rewards[rows, visits].ravel(),
            cosines.round(DIGITS).repeat(width),
            self._won[rows, visits].ravel(),
        )

    def _visits(self, points: NDArray[np.intp]) -> NDArray[np.intp]:
        """0 to n - 1 for every row with n points."""
        ends = points.cumsum()
        return np.arange(int(points.sum())) - (ends - points).repeat(points)
