"""Checks whether recalled neighbours improved draws."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from staragents.analysis.statistics import Z_90, Mean
from staragents.analysis.tallies import ratio, rounded
from staragents.base.records import Candidate

MIN_CANDIDATES = 30


@dataclass(slots=True)
class _Group:
    mean: Mean
    squares: float = 0.0

    def add(self, value: float) -> None:
        self.mean.add(value)
        self.squares += value * value

    @property
    def variance_of_mean(self) -> float:
        count, mean = self.mean.count, self.mean.value or 0.0
        return max(self.squares / count - mean * mean, 0.0) / max(count - 1, 1)


class MemoryLift:
    """Mean reward of drawn pairs with recalled neighbours minus that without.

    Seeds before the first recall are left out, because the policy knew less at that time. The others may
    still differ in topic, so a lift is a hint, not proof; `compare` with the ablation no-memory gives proof.
    """

    def __init__(self) -> None:
        self._hits, self._misses = _Group(Mean()), _Group(Mean())
        self._similarity = Mean()
        self._seeds = self._recalled = 0

    def add_seed(self, candidates: list[Candidate]) -> None:
        hit = any(candidate.neighbours for candidate in candidates)
        self._seeds += 1
        self._recalled += hit
        self._similarity.add(candidates[0].domain_similarity)
        if not self._recalled:
            return
        for candidate in candidates:
            if not candidate.base and candidate.reward is not None:
                (self._hits if hit else self._misses).add(candidate.reward)

    def summary(self) -> dict[str, Any]:
        """`lift` with its 90 % interval; None if either side has fewer than 30 candidates."""
        hits, misses = self._hits.mean, self._misses.mean
        lift = half_width = None
        if min(hits.count, misses.count) >= MIN_CANDIDATES:
            lift = (hits.value or 0.0) - (misses.value or 0.0)
            half_width = Z_90 * math.sqrt(self._hits.variance_of_mean + self._misses.variance_of_mean)
        return {
            "hit_rate": ratio(self._recalled, self._seeds),
            "similarity": rounded(self._similarity.value),
            "lift": rounded(lift),
            "interval_90": None
            if lift is None or half_width is None
            else [rounded(lift - half_width), rounded(lift + half_width)],
        }


def findings(memory: dict[str, Any]) -> Iterator[str]:
    if memory["lift"] is None:
        return
    low, high = memory["interval_90"]
    numbers = f"{memory['lift']:+.3f}, 90 % interval {low:+.3f} to {high:+.3f}"
    if high < 0:
        yield (
            f"draws with neighbours earn less than draws without ({numbers}): try a larger "
            "memory.min_similarity, or memory.enabled=false"
        )
    elif low <= 0:
        yield (
            f"memory makes no measurable difference ({numbers}): try a larger memory.min_similarity, another "
            "memory.embedder, or memory.enabled=false to save the embedding"
        )
