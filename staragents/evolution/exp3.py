"""Exponential weights for non-stationary rewards: a judge or a model may change at any time."""

from __future__ import annotations

import math
from collections.abc import Container, Sequence
from typing import Any

import numpy as np

from staragents.config import Credit
from staragents.evolution.drawing import FloatArray, available, draw_pairs, proportional, with_floor
from staragents.evolution.log_odds import rounded
from staragents.evolution.policy import (
    NO_CONTEXT,
    Draw,
    DrawContext,
    Outcome,
    PairStats,
    RecalledOutcomes,
    credited,
)
from staragents.evolution.tally import Tally

# Exp3-IX (Neu 2015): added to every propensity, it bounds the gain of one lucky rare draw.
IMPLICIT_EXPLORATION = 0.01
# An improvement of a pair that is never tried would go unnoticed, so at least this share stays uniform.
MIN_FLOOR = 0.05


class Exp3Policy:
    """Exp3 (Auer et al. 2002) with several draws a seed: p proportional to exp(eta G), at most 1.

    G is the sum of reward / (propensity + 0.01) of a pair, eta = sqrt(2 ln K / (1 + V)) with V the sum of
    reward^2 / propensity: the rate adapts to the size of rewards and needs no horizon. `discount` multiplies
    G and V after every seed. Memory is ignored: no bound on regret holds under a changing context.
    """

    name = "exp3"

    def __init__(
        self,
        pairs: Sequence[str],
        credit: Credit = Credit.all,
        floor: float = MIN_FLOOR,
        discount: float = 1.0,
    ) -> None:
        self._credit = credit
        self._floor = max(floor, MIN_FLOOR)
        self._discount = discount
        self._rewards = Tally(pairs)
        self._index = {pair: index for index, pair in enumerate(pairs)}
        self._gains = np.zeros(len(pairs))
        self._variation = 0.0

    def context(self, recalled: RecalledOutcomes) -> DrawContext:
        return DrawContext.of(recalled)

    def inclusion(
        self, count: int, seed: int, context: DrawContext, without: Container[str] = ()
    ) -> dict[str, float]:
        names, indices = available(self._rewards.pairs, without)
        if count >= len(names):
            return dict.fromkeys(names, 1.0)
        rate = self._rate(self._variation)
        gains = self._gains[indices]
        inclusion = proportional(np.exp(rate * (gains - gains.max())), count)
        return dict(zip(names, with_floor(inclusion, self._floor).tolist(), strict=True))

    def draw(self, count: int, seed: int, context: DrawContext, without: Container[str] = ()) -> list[Draw]:
        return draw_pairs(self.inclusion(count, seed, context, without), seed)

    def observe(self, outcomes: Sequence[Outcome], context: DrawContext = NO_CONTEXT) -> None:
        self._rewards.add_all(outcomes)
        if self._discount < 1.0:
            self._gains *= self._discount
            self._variation *= self._discount
        for outcome in outcomes:
            reward = credited(outcome, self._credit)
            gain = reward / (outcome.propensity + IMPLICIT_EXPLORATION)
            self._gains[self._index[outcome.pair]] += rounded(gain)
            self._variation += rounded(reward * gain)

    def pair_stats(self, without: Container[str] = ()) -> list[PairStats]:
        return self._rewards.pair_stats(self.inclusion(1, 0, NO_CONTEXT, without))

    def state(self) -> dict[str, Any]:
        return {
            "gains": dict(zip(self._rewards.pairs, self._gains.tolist(), strict=True)),
            "variation": self._variation,
            "rewards": self._rewards.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        self._rewards.restore(state["rewards"])
        self._gains = self._all_gains(state)
        self._variation = state["variation"]

    def merge(self, state: dict[str, Any]) -> None:
        self._rewards.merge(state["rewards"])
        self._gains += self._all_gains(state)
        self._variation += state["variation"]

    def _all_gains(self, state: dict[str, Any]) -> FloatArray:
        """Of every pair. One added to the run starts at the mean probability of the others: G is a sum over
        the whole run, so from 0, or from their mean, it would never catch up."""
        saved, pairs = state["gains"], self._rewards.pairs
        if not saved or len(saved) == len(pairs):
            return np.array([saved.get(pair, 0.0) for pair in pairs])
        known = np.array(list(saved.values()))
        rate, largest = self._rate(state["variation"]), float(known.max())
        start = largest + math.log(float(np.exp(rate * (known - largest)).mean())) / rate
        return np.array([saved.get(pair, rounded(start)) for pair in pairs])

    def _rate(self, variation: float) -> float:
        return math.sqrt(2.0 * math.log(len(self._gains)) / (1.0 + variation))
