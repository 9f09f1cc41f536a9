"""How well readings of similar instructions predict rewards, learnt from their past predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from staragents.evolution.drawing import FloatArray
from staragents.evolution.kernel_reading import KernelReading
from staragents.evolution.log_odds import rounded
from staragents.evolution.policy import NO_CONTEXT, DrawContext, Outcome, RecalledOutcomes

# An explained sum of squares counts as far as it exceeds this many noise variances per slope: the price of a
# parameter in Akaike's criterion (1974).
DOUBT = 2.0
# Readings are saved with every draw, so with more pairs only the largest are used.
MAX_READINGS = 64
# A smaller sum of squares is a rounding error; two readings that share more than the rest of their variance
# can't be told apart.
MIN_SPREAD = 1e-9
MIN_OWN_SHARE = 1e-3


class Context:
    """Within-pair regression of the reward on two readings of the recalled outcomes (`KernelReading`): that
    of the pair itself, and the sum of those of its two agents.

    Slopes are shrunk as by James and Stein, max(0, 1 - 2 / t^2) for a single one, and never negative. Of own
    slope, agents' slope and both, those count that explain most after this doubt. If embeddings or memories
    are useless, slopes are 0 and draws ignore memory.
    """

    def __init__(
        self, pairs: Sequence[str], factors: Mapping[str, tuple[str, str]] | None, weight: float
    ) -> None:
        """`weight` multiplies the learnt slopes; 0 ignores memory."""
        self._reading = KernelReading(pairs, factors)
        self._index = {pair: index for index, pair in enumerate(self._reading.pairs)}
        self._agent_index = {agent: index for index, agent in enumerate(self._reading.agents)}
        self._factors = factors if self._reading.agents else None
        self._weight = weight
        # Columns: number, own reading, agents' reading, reward; then products of the last three, summed over
        # all pairs.
        self._sums, self._products = np.zeros((len(self._index), 4)), np.zeros((3, 3))

    def read(self, recalled: RecalledOutcomes, means: FloatArray, seed_share: float) -> DrawContext:
        """`means` and `seed_share` as for `KernelReading.read`."""
        if not recalled:
            return NO_CONTEXT
        if not self._weight:
            return DrawContext.of(recalled)
        own, agents = self._reading.read(recalled, means, seed_share)
        readings = _largest(self._reading.pairs, own) | _largest(self._reading.agents, agents)
        return DrawContext.of(recalled, readings)

    def observe(self, outcomes: Sequence[Outcome], rewards: Sequence[float], context: DrawContext) -> None:
        if not context.readings:
            return
        for outcome, reward in zip(outcomes, rewards, strict=True):
            row = np.array([*self._readings_of(outcome.pair, context.readings), rounded(reward)])
            self._sums[self._index[outcome.pair]] += (1.0, *row.tolist())
            self._products += np.outer(row, row)

    def shift(self, context: DrawContext) -> FloatArray | None:
        """Added to each pair's expected reward, shape (pairs,); None for no shift."""
        if not context.readings:
            return None
        own_slope, agents_slope = self.slopes()
        if not own_slope and not agents_slope:
            return None
        own, agents = np.zeros(len(self._index)), np.zeros(len(self._agent_index))
        for name, reading in context.readings.items():
            if (index := self._index.get(name)) is not None:
                own[index] = reading
            elif (index := self._agent_index.get(name)) is not None:
                agents[index] = reading
        shift = own_slope * own
        if self._reading.design is not None and agents_slope:
            shift += agents_slope * (self._reading.design @ agents)
        return shift

    def slopes(self) -> tuple[float, float]:
        """Expected reward per unit of a pair's own reading and of its agents' readings; 0 until they differ
        measurably from 0."""
        number = self._sums[:, 0]
        freedom = float(number.sum()) - float(np.count_nonzero(number)) - 1.0
        if freedom < 1.0:
            return 0.0, 0.0
        sums = self._sums[:, 1:]
        within = self._products - (sums / np.maximum(number, 1.0)[:, None]).T @ sums
        (own2, both, own_reward), (_, agents2, agents_reward), (_, _, reward2) = within.tolist()
        candidates = []
        if own2 > MIN_SPREAD:
            candidates.append((own_reward / own2, 0.0))
        if agents2 > MIN_SPREAD:
            candidates.append((0.0, agents_reward / agents2))
        determinant = own2 * agents2 - both * both
        if determinant > MIN_OWN_SHARE * own2 * agents2 + MIN_SPREAD**2:
            own = (agents2 * own_reward - both * agents_reward) / determinant
            candidates.append((own, (agents_reward - both * own) / agents2))
        best, slopes = 0.0, (0.0, 0.0)
        for own, agents in candidates:
            explained = own * own_reward + agents * agents_reward
            doubt = DOUBT * ((own != 0.0) + (agents != 0.0)) * max(reward2 - explained, MIN_SPREAD) / freedom
            if min(own, agents) >= 0.0 and explained - doubt > best:
                best = explained - doubt
                shrunk = self._weight * best / explained
                slopes = own * shrunk, agents * shrunk
        return slopes

    def mean_reward(self) -> float:
        """Mean of all rewards observed with readings."""
        return float(self._sums[:, 3].sum() / max(self._sums[:, 0].sum(), 1.0))

    def state(self) -> dict[str, Any]:
        """Sums that shards can add; pairs without observations are left out."""
        rows = zip(self._reading.pairs, self._sums.tolist(), strict=True)
        return {"sums": {pair: row for pair, row in rows if row[0]}, "products": self._products.tolist()}

    def restore(self, state: dict[str, Any]) -> None:
        self._sums[:], self._products[:] = 0.0, 0.0
        self.merge(state)

    def merge(self, state: dict[str, Any]) -> None:
        """Add another shard's sums; a state of earlier versions, which had another reading, has none."""
        for pair, row in state.get("sums", {}).items():
            self._sums[self._index[pair]] += row
        self._products += state.get("products", 0.0)

    def _readings_of(self, pair: str, readings: Mapping[str, float]) -> tuple[float, float]:
        own = readings.get(pair, 0.0)
        if self._factors is None:
            return own, 0.0
        left, right = self._factors[pair]
        return own, readings.get(f"{left}+", 0.0) + readings.get(f"+{right}", 0.0)


def _largest(names: Sequence[str], readings: FloatArray) -> dict[str, float]:
    """The readings largest in size, rounded so that their sums are exact."""
    known = [(name, rounded(x)) for name, x in zip(names, readings.tolist(), strict=True)]
    known.sort(key=lambda one: -abs(one[1]))
    return {name: x for name, x in known[:MAX_READINGS] if x}
