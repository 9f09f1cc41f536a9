"""Upper confidence bounds over pairs; draws are almost deterministic."""

from __future__ import annotations

import math

from staragents.evolution.drawing import FloatArray, proportional
from staragents.evolution.thompson import ThompsonPolicy


class UcbPolicy(ThompsonPolicy):
    """The `count` pairs with the largest mean + bonus, under the same belief as Thompson sampling.

    The bonus is 3 `exploration` sd sqrt(2 ln(1 + seeds left / pairs)), a bound that holds for the rest of the
    run (as in MOSS, Audibert and Bubeck 2009). Draws are deterministic except for the floor, so propensities
    are of little use for off-policy estimates.
    """

    name = "ucb"

    def _preferred(self, mean: FloatArray, sd: FloatArray, count: int) -> FloatArray:
        ratio = self._left() / len(self._rewards.pairs)
        bound = mean + 3.0 * self._exploration * math.sqrt(2.0 * math.log1p(ratio)) * sd
        # Equal bounds (a fresh run) share their draws.
        lowest = float(sorted(bound.tolist())[-count])
        above, level = bound > lowest + 1e-12, abs(bound - lowest) <= 1e-12
        inclusion = above.astype(float)
        inclusion[level] = proportional(bound[level] * 0.0 + 1.0, count - int(above.sum()))
        return inclusion
