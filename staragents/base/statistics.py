"""Streaming means, correlations and samples with constant memory."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Item = TypeVar("Item")

Z_90 = 1.645
"""Two-sided 90 % of the normal distribution. Not more exact: early stopping decides with it."""
Z_95 = 1.96
"""Two-sided 95 %."""


def relative_entropy(probabilities: Sequence[float]) -> float:
    """-sum p ln p over ln n: 1 for a uniform draw, 0 for a certain one and for fewer than two choices."""
    if len(probabilities) < 2:
        return 0.0
    return -sum(p * math.log(p) for p in probabilities if p > 0) / math.log(len(probabilities))


@dataclass(slots=True)
class Mean:
    """Mean of the measured values; None and non-finite values are ignored."""

    count: int = 0
    total: float = 0.0
    squares: float = 0.0

    def add(self, value: float | None) -> None:
        if value is not None and math.isfinite(value):
            self.count += 1
            self.total += value
            self.squares += value * value

    @property
    def value(self) -> float | None:
        return self.total / self.count if self.count else None

    @property
    def variance_of_mean(self) -> float:
        """The squared standard error; 0 for fewer than two values."""
        if self.count < 2:
            return 0.0
        mean = self.total / self.count
        return max(self.squares / self.count - mean * mean, 0.0) / (self.count - 1)

    def interval90(self) -> tuple[float, float] | None:
        """Wilson's score interval (1927) for a mean of values in [0, 1].

        Such values vary at most as much as a coin with the same mean, so the interval is conservative for
        rewards. It remains valid for one observation or all zeros, where the normal interval has no width.
        """
        if self.count == 0:
            return None
        mean, n = self.total / self.count, self.count
        centre = mean + Z_90**2 / (2 * n)
        margin = Z_90 * math.sqrt(max(mean * (1 - mean), 0.0) / n + (Z_90 / (2 * n)) ** 2)
        scale = 1 + Z_90**2 / n
        return max(0.0, (centre - margin) / scale), min(1.0, (centre + margin) / scale)


@dataclass(slots=True)
class Line:
    """Pearson correlation and least-squares line of pairs (x, y), by Welford's update.

    Pairs with a None or non-finite value are ignored.
    """

    count: int = 0
    mean_x: float = 0.0
    mean_y: float = 0.0
    _xx: float = 0.0
    _yy: float = 0.0
    _xy: float = 0.0

    def add(self, x: float | None, y: float | None) -> None:
        if x is None or y is None or not (math.isfinite(x) and math.isfinite(y)):
            return
        self.count += 1
        dx, dy = x - self.mean_x, y - self.mean_y
        self.mean_x += dx / self.count
        self.mean_y += dy / self.count
        self._xx += dx * (x - self.mean_x)
        self._yy += dy * (y - self.mean_y)
        self._xy += dx * (y - self.mean_y)

    @property
    def correlation(self) -> float | None:
        """None for fewer than three pairs or if x or y is constant."""
        if self.count < 3 or self._xx <= 0 or self._yy <= 0:
            return None
        return self._xy / math.sqrt(self._xx * self._yy)

    @property
    def slope(self) -> float | None:
        """Slope of the fitted line; None without a correlation."""
        return None if self.correlation is None else self._xy / self._xx

    @property
    def at_zero(self) -> float | None:
        """y of the fitted line at x = 0."""
        slope = self.slope
        return None if slope is None else self.mean_y - slope * self.mean_x


@dataclass(slots=True)
class Sample(Generic[Item]):
    """A uniform sample of at most `size` items of a stream (Vitter's algorithm R), reproducible."""

    size: int
    items: list[Item] = field(default_factory=list)
    seen: int = 0
    _random: random.Random = field(default_factory=lambda: random.Random(0))

    def add(self, item: Item) -> None:
        self.seen += 1
        if len(self.items) < self.size:
            self.items.append(item)
        elif (slot := self._random.randrange(self.seen)) < self.size:
            self.items[slot] = item
