"""Reward statistics of each pair, kept as sums that shards can add."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from staragents.base.errors import BadInput
from staragents.base.statistics import Z_90
from staragents.evolution.policy import Outcome, PairStats


class Tally:
    """Number, sum and sum of squares of the rewards of each pair."""

    def __init__(self, pairs: Sequence[str]) -> None:
        self.pairs = tuple(pairs)
        self._sums = {pair: (0, 0.0, 0.0) for pair in pairs}

    def add(self, pair: str, reward: float) -> None:
        number, total, squares = self._sums[pair]
        self._sums[pair] = (number + 1, total + reward, squares + reward * reward)

    def add_all(self, outcomes: Sequence[Outcome]) -> None:
        """Raises BadInput and adds nothing if a pair is unknown or a reward is outside [0, 1]."""
        for outcome in outcomes:
            if outcome.pair not in self._sums:
                raise BadInput(f"pair: expected one of {', '.join(self.pairs)}, got {outcome.pair!r}")
            if not 0.0 <= outcome.reward <= 1.0:
                raise BadInput(f"reward of {outcome.pair}: expected 0 to 1, got {outcome.reward}")
        for outcome in outcomes:
            self.add(outcome.pair, outcome.reward)

    def pair_stats(self, probabilities: Mapping[str, float]) -> list[PairStats]:
        """One per pair; pairs without a probability can't be drawn."""
        return [self._stats(pair, probabilities.get(pair)) for pair in self.pairs]

    def state(self) -> dict[str, Any]:
        return {pair: list(sums) for pair, sums in self._sums.items()}

    def restore(self, state: dict[str, Any]) -> None:
        self._expect_known_pairs(state)
        self._sums = dict.fromkeys(self.pairs, (0, 0.0, 0.0))
        self._sums |= {pair: (sums[0], sums[1], sums[2]) for pair, sums in state.items()}

    def merge(self, state: dict[str, Any]) -> None:
        self._expect_known_pairs(state)
        for pair, more in state.items():
            number, total, squares = self._sums[pair]
            self._sums[pair] = (number + more[0], total + more[1], squares + more[2])

    def _stats(self, pair: str, probability: float | None) -> PairStats:
        # Normal interval after adding one observation of 0 and one of 1, as Agresti and Caffo do: valid for
        # few observations, and narrow if rewards hardly vary.
        number, total, squares = self._sums[pair]
        centre = (total + 1.0) / (number + 2)
        variance = max((squares + 1.0) / (number + 2) - centre * centre, 0.0)
        half = Z_90 * math.sqrt(variance / (number + 2))
        return PairStats(
            pair=pair,
            probability=probability or 0.0,
            mean_reward=total / number if number else 0.5,
            low=max(centre - half, 0.0),
            high=min(centre + half, 1.0),
            observations=number,
            drawable=probability is not None,
        )

    def _expect_known_pairs(self, state: dict[str, Any]) -> None:
        if not state.keys() <= self._sums.keys():
            raise BadInput(f"agents.pairs: expected the saved {sorted(state)}, got {sorted(self.pairs)}")
