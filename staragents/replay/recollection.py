"""The memory bank of a replay: applies a run's rules for storing and recalling, in one array."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from staragents.config import MemoryConfig
from staragents.evolution.policy import Outcome, RecalledOutcomes


class Recollection:
    """Stores pairs that earned more than `memory.min_reward` on an instruction, and recalls by cosine.

    As in a run, only the winner is kept, and nothing is recalled before `warmup` instructions per pair. The
    search is exact: a bank server returns the same neighbours, and thousands of replayed draws need a fast
    answer.
    """

    def __init__(
        self, vectors: NDArray[np.float32], config: MemoryConfig, pairs: int, capacity: int, everything: bool
    ) -> None:
        """`vectors` are unit vectors, one per instruction; `everything` also keeps losers."""
        self._vectors = vectors
        self._config = config
        self._everything = everything
        self._warmup = config.warmup * pairs
        self._turns = 0
        self._kept = np.zeros((capacity, vectors.shape[1]), dtype=np.float32)
        self._outcomes: list[Outcome] = []
        self._rows: list[int] = []

    def remember(self, row: int, outcomes: Sequence[Outcome]) -> None:
        self._turns += 1
        for outcome in outcomes:
            if self._everything or (outcome.winner and outcome.reward > self._config.min_reward):
                self._kept[len(self._outcomes)] = self._vectors[row]
                self._outcomes.append(outcome)
                self._rows.append(row)

    def recall(self, row: int) -> RecalledOutcomes:
        """The nearest remembered outcomes, most similar first."""
        if self._turns < self._warmup or not self._outcomes:
            return RecalledOutcomes()
        similarity = self._kept[: len(self._outcomes)] @ self._vectors[row]
        nearest = np.argsort(-similarity, kind="stable")[: self._config.neighbours].tolist()
        near = [index for index in nearest if similarity[index] >= self._config.min_similarity]
        return RecalledOutcomes(
            tuple(str(self._rows[index]) for index in near),
            tuple(self._outcomes[index].pair for index in near),
            np.array([self._outcomes[index].reward for index in near]),
            similarity[near].astype(np.float64),
        )
