"""How well the memory bank's neighbours predict rewards, learnt from their past predictions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from staragents.evolution.drawing import FloatArray
from staragents.evolution.log_odds import rounded
from staragents.evolution.policy import NO_CONTEXT, DrawContext, Outcome, RecalledOutcomes

# A slope counts to the extent that its square exceeds this many times its sampling variance.
DOUBT = 4.0
# Readings are saved with every draw, so with more pairs only the largest are used.
MAX_READINGS = 64


class Context:
    """Within-pair regression of the reward on the neighbours' estimate for that pair.

    The estimate is the kernel-weighted mean of the pair's remembered rewards, sum(s r) / (1 + sum(s)) with
    similarity s: one pseudo-observation of 0 limits the influence of a single distant neighbour. The slope
    is shrunk as by James and Stein, max(0, 1 - 4 / t^2), and never negative: if embeddings or memories are
    useless, it is 0 and draws ignore memory.
    """

    def __init__(self, pairs: Sequence[str], weight: float) -> None:
        """`weight` multiplies the learnt slope; 0 ignores memory."""
        self._pairs = tuple(pairs)
        self._index = {pair: index for index, pair in enumerate(self._pairs)}
        self._weight = weight
        size = len(self._pairs)
        self._number, self._estimate, self._reward = np.zeros(size), np.zeros(size), np.zeros(size)
        self._products = np.zeros(3)  # estimate^2, reward^2, estimate * reward

    def read(self, recalled: RecalledOutcomes) -> DrawContext:
        if not recalled:
            return NO_CONTEXT
        estimates = zip(self._pairs, self._estimates(recalled).tolist(), strict=True)
        largest = sorted(((abs(x), pair, rounded(x)) for pair, x in estimates if x), reverse=True)
        readings = {pair: x for _, pair, x in largest[:MAX_READINGS]}
        return DrawContext(len(recalled), recalled.nearest(), readings)

    def observe(self, outcomes: Sequence[Outcome], rewards: Sequence[float], context: DrawContext) -> None:
        if not context.outcomes:
            return
        for outcome, reward in zip(outcomes, rewards, strict=True):
            index = self._index[outcome.pair]
            x, y = context.readings.get(outcome.pair, 0.0), rounded(reward)
            self._number[index] += 1.0
            self._estimate[index] += x
            self._reward[index] += y
            self._products += (x * x, y * y, x * y)

    def shift(self, context: DrawContext) -> FloatArray | None:
        """Added to each pair's expected reward, shape (pairs,); None for no shift."""
        if not context.outcomes or not (slope := self.slope()):
            return None
        baseline = (self._estimate + self._estimate.sum() / self._number.sum()) / (self._number + 1.0)
        readings = np.array([context.readings.get(pair, 0.0) for pair in self._pairs])
        return slope * (readings - baseline)

    def slope(self) -> float:
        """Shrunken slope: reward per unit of the estimate; 0 until it differs measurably from 0."""
        seen = np.maximum(self._number, 1.0)
        spread = float(self._products[0] - (self._estimate / seen).dot(self._estimate))
        freedom = float(self._number.sum() - (self._number > 0).sum()) - 1.0
        if spread <= 1e-9 or freedom < 1.0 or not self._weight:
            return 0.0
        product = float(self._products[2] - (self._estimate / seen).dot(self._reward))
        rest = float(self._products[1] - (self._reward / seen).dot(self._reward)) - product**2 / spread
        slope, variance = product / spread, max(rest, 1e-9) / freedom / spread
        if slope <= 0:
            return 0.0
        return self._weight * slope * max(0.0, 1.0 - DOUBT * variance / slope**2)

    def mean_reward(self) -> float:
        """Mean of all rewards observed with neighbours."""
        return float(self._reward.sum() / max(self._number.sum(), 1.0))

    def _estimates(self, recalled: RecalledOutcomes) -> FloatArray:
        weight, total = np.zeros(len(self._pairs)), np.zeros(len(self._pairs))
        columns = recalled.pairs, recalled.rewards.tolist(), recalled.similarities.tolist()
        for pair, reward, similarity in zip(*columns, strict=True):
            index = self._index.get(pair)
            if index is not None and similarity > 0:
                weight[index] += similarity
                total[index] += similarity * reward
        return total / (1.0 + weight)

    def state(self) -> dict[str, Any]:
        rows = zip(self._number.tolist(), self._estimate.tolist(), self._reward.tolist(), strict=True)
        return {
            "pairs": dict(zip(self._pairs, map(list, rows), strict=True)),
            "products": self._products.tolist(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        for sums in (self._number, self._estimate, self._reward, self._products):
            sums[:] = 0.0
        self.merge(state)

    def merge(self, state: dict[str, Any]) -> None:
        for pair, (number, estimate, reward) in state["pairs"].items():
            index = self._index[pair]
            self._number[index] += number
            self._estimate[index] += estimate
            self._reward[index] += reward
        self._products += state["products"]
