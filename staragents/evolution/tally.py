"""Reward statistics of each pair: sums only, so that shards add up."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from staragents.errors import BadInput
from staragents.evolution.policy import Standing

Z90 = 1.645  # two-sided 90 % of the normal distribution


class Tally:
    """Number, sum and sum of squares of the rewards of each pair."""

    def __init__(self, pairs: Sequence[str]) -> None:
        self.pairs = tuple(pairs)
        self._sums = {pair: (0, 0.0, 0.0) for pair in pairs}

    def add(self, pair: str, reward: float) -> None:
        number, total, squares = self._sums[pair]
        self._sums[pair] = (number + 1, total + reward, squares + reward * reward)

    def observations(self, pair: str) -> int:
        return self._sums[pair][0]

    def standings(self, probabilities: Mapping[str, float]) -> list[Standing]:
        """One a pair; a pair that was never seen has mean 1/2 and the interval [0, 1]."""
        return [self._standing(pair, probabilities[pair]) for pair in self.pairs]

    def state(self) -> dict[str, Any]:
        return {pair: list(sums) for pair, sums in self._sums.items()}

    def restore(self, state: dict[str, Any]) -> None:
        self._expect_same_pairs(state)
        self._sums = {pair: (state[pair][0], state[pair][1], state[pair][2]) for pair in self.pairs}

    def merge(self, state: dict[str, Any]) -> None:
        self._expect_same_pairs(state)
        for pair, (number, total, squares) in self._sums.items():
            more = state[pair]
            self._sums[pair] = (number + more[0], total + more[1], squares + more[2])

    def _standing(self, pair: str, probability: float) -> Standing:
        # Normal interval after adding one observation of 0 and one of 1, in the manner of Agresti and
        # Caffo: honest for few observations, and narrow where rewards hardly vary.
        number, total, squares = self._sums[pair]
        centre = (total + 1.0) / (number + 2)
        variance = max((squares + 1.0) / (number + 2) - centre * centre, 0.0)
        half = Z90 * math.sqrt(variance / (number + 2))
        return Standing(
            pair=pair,
            probability=probability,
            mean_reward=total / number if number else 0.5,
            low=max(centre - half, 0.0),
            high=min(centre + half, 1.0),
            observations=number,
        )

    def _expect_same_pairs(self, state: dict[str, Any]) -> None:
        if state.keys() != self._sums.keys():
            raise BadInput(f"agents.pairs: expected the saved {sorted(state)}, got {sorted(self.pairs)}")
