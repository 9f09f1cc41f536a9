"""A bounded, mergeable sketch of a distribution, for running ranks and quantiles."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

BINS = 4096
# IFDs and their gaps mostly lie in (-1, 1): with this scale a bin is 0.0002 wide at 0 and 0.002 at 1.
SCALE = 0.5


class RankSketch:
    """Counts on a fixed grid over x / (SCALE + |x|), which maps every number into (-1, 1).

    Counts are additive, so the sketch is independent of the order of values and shards merge exactly. The
    error of a rank is at most half the share of values in its bin.
    """

    def __init__(self) -> None:
        self._counts = np.zeros(BINS, dtype=np.int64)
        self._total = 0

    def add(self, value: float) -> None:
        """Raises ValueError for NaN and infinity, which have no rank."""
        self._counts[_bin(value)] += 1
        self._total += 1

    def rank(self, value: float) -> float:
        """Mid-rank in [0, 1]: the share of smaller values plus half the share of equal ones; 1/2 if empty."""
        if not self._total:
            return 0.5
        index = _bin(value)
        return (int(self._counts[:index].sum()) + 0.5 * int(self._counts[index])) / self._total

    def quantile(self, q: float) -> float:
        """The `q`-quantile of all values, accurate to the width of a bin.

        Raises ValueError if the sketch is empty.
        """
        if not self._total:
            raise ValueError("expected at least one value for a quantile, got none")
        reached = np.searchsorted(np.cumsum(self._counts), max(q * self._total, 1.0))
        mapped = (2 * min(int(reached), BINS - 1) + 1) / BINS - 1.0
        return SCALE * mapped / (1.0 - abs(mapped))

    def merge(self, other: RankSketch) -> None:
        """Add all of the other's values."""
        self._counts += other._counts
        self._total += other._total

    def state(self) -> dict[str, Any]:
        """The occupied bins, as JSON values."""
        return {str(index): int(self._counts[index]) for index in np.flatnonzero(self._counts)}

    def restore(self, state: dict[str, Any]) -> None:
        self._counts[:] = 0
        for index, count in state.items():
            self._counts[int(index)] = count
        self._total = int(self._counts.sum())


def _bin(value: float) -> int:
    if not math.isfinite(value):
        raise ValueError(f"expected a finite value, got {value}")
    mapped = value / (SCALE + abs(value))
    return min(int((mapped + 1.0) / 2.0 * BINS), BINS - 1)
