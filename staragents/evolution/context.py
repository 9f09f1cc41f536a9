"""How much the memory bank's neighbours tell about a reward, learnt from how much they told so far."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from staragents.evolution.drawing import FloatArray
from staragents.evolution.policy import Neighbour, Outcome
from staragents.evolution.score import rounded

# A slope is believed as far as its square exceeds this many times its own sampling variance.
DOUBT = 4.0


class Context:
    """The regression, within pairs, of a reward on what the neighbours remember of that pair.

    Their reading of a pair is the kernel-weighted mean of its remembered rewards, sum(s r) / (1 + sum(s))
    with similarity s: one pseudo-observation of 0 keeps a single far neighbour from saying much. The slope is
    shrunk as by James and Stein, max(0, 1 - 4 / t^2), and never negative: where embeddings or memories are
    useless it is 0 and draws are those without memory.
    """

    def __init__(self, pairs: Sequence[str], weight: float) -> None:
        """`weight` multiplies the learnt slope; 0 ignores memory."""
        self._pairs = tuple(pairs)
        self._place = {pair: place for place, pair in enumerate(self._pairs)}
        self._weight = weight
        size = len(self._pairs)
        self._number, self._reading, self._reward = np.zeros(size), np.zeros(size), np.zeros(size)
        self._products = np.zeros(3)  # reading^2, reward^2, reading * reward

    def observe(
        self, outcomes: Sequence[Outcome], rewards: Sequence[float], recalled: Sequence[Neighbour]
    ) -> None:
        if not recalled:
            return
        readings = self._readings(recalled)
        for outcome, reward in zip(outcomes, rewards, strict=True):
            place = self._place[outcome.pair]
            x, y = rounded(float(readings[place])), rounded(reward)
            self._number[place] += 1.0
            self._reading[place] += x
            self._reward[place] += y
            self._products += (x * x, y * y, x * y)

    def shift(self, recalled: Sequence[Neighbour]) -> FloatArray | None:
        """What to add to each pair's expected reward, shape (pairs,); None if nothing is to be added."""
        if not recalled or not (slope := self.slope()):
            return None
        usual = (self._reading + self._reading.sum() / self._number.sum()) / (self._number + 1.0)
        return slope * (self._readings(recalled) - usual)

    def slope(self) -> float:
        """Reward gained for each unit of reading, as far as it can be told from 0."""
        seen = np.maximum(self._number, 1.0)
        spread = float(self._products[0] - (self._reading / seen).dot(self._reading))
        freedom = float(self._number.sum() - (self._number > 0).sum()) - 1.0
        if spread <= 1e-9 or freedom < 1.0 or not self._weight:
            return 0.0
        product = float(self._products[2] - (self._reading / seen).dot(self._reward))
        rest = float(self._products[1] - (self._reward / seen).dot(self._reward)) - product**2 / spread
        slope, variance = product / spread, max(rest, 1e-9) / freedom / spread
        if slope <= 0:
            return 0.0
        return self._weight * slope * max(0.0, 1.0 - DOUBT * variance / slope**2)

    def mean_reward(self) -> float:
        """Of all rewards seen with neighbours."""
        return float(self._reward.sum() / max(self._number.sum(), 1.0))

    def _readings(self, recalled: Sequence[Neighbour]) -> FloatArray:
        weight, total = np.zeros(len(self._pairs)), np.zeros(len(self._pairs))
        for neighbour in recalled:
            place = self._place.get(neighbour.pair)
            if place is not None and neighbour.similarity > 0:
                weight[place] += neighbour.similarity
                total[place] += neighbour.similarity * neighbour.reward
        return total / (1.0 + weight)

    def state(self) -> dict[str, Any]:
        rows = zip(self._number.tolist(), self._reading.tolist(), self._reward.tolist(), strict=True)
        return {
            "pairs": dict(zip(self._pairs, map(list, rows), strict=True)),
            "products": self._products.tolist(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        for sums in (self._number, self._reading, self._reward, self._products):
            sums[:] = 0.0
        self.merge(state)

    def merge(self, state: dict[str, Any]) -> None:
        for pair, (number, reading, reward) in state["pairs"].items():
            place = self._place[pair]
            self._number[place] += number
            self._reading[place] += reading
            self._reward[place] += reward
        self._products += state["products"]
