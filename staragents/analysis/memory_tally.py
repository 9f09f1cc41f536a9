"""Counts recalls and checks whether recalled neighbours improved draws."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from staragents.analysis.tallies import ratio, rounded
from staragents.base.records import Candidate
from staragents.base.statistics import Z_90, Mean

MIN_CANDIDATES = 30


@dataclass(slots=True)
class MemoryTally:
    """Recalls, and rewards of drawn pairs with and without recalled neighbours."""

    seeds: int = 0
    hits: int = 0
    similarity: Mean = field(default_factory=Mean)
    with_neighbours: Mean = field(default_factory=Mean)
    without: Mean = field(default_factory=Mean)
    without_since_recall: Mean = field(default_factory=Mean)
    """Those without since the first recall: before it, the policy knew less."""

    def add_seed(self, candidates: list[Candidate]) -> None:
        """Add the next seed's candidates."""
        hit = any(candidate.neighbours for candidate in candidates)
        self.seeds += 1
        self.hits += hit
        self.similarity.add(candidates[0].domain_similarity)
        for reward in (candidate.reward for candidate in candidates if not candidate.base):
            if hit:
                self.with_neighbours.add(reward)
            else:
                self.without.add(reward)
                if self.hits:
                    self.without_since_recall.add(reward)

    def summary(self, enabled: bool) -> dict[str, Any]:
        return {
            "enabled": enabled,
            "seeds": self.seeds,
            "hit_rate": ratio(self.hits, self.seeds),
            "similarity": rounded(self.similarity.value),
            "reward_of_hits": rounded(self.with_neighbours.value),
            "reward_of_misses": rounded(self.without.value),
        }

    def lift(self) -> dict[str, Any]:
        """`lift`: mean reward with neighbours minus that without since the first recall, with its 90 %
        interval; None if either side has fewer than 30 candidates.

        The seeds may still differ in topic, so a lift is a hint, not proof; `compare` with the ablation
        no-memory gives proof.
        """
        hits, misses = self.with_neighbours, self.without_since_recall
        found: dict[str, Any] = {
            "hit_rate": ratio(self.hits, self.seeds),
            "similarity": rounded(self.similarity.value),
        }
        if min(hits.count, misses.count) < MIN_CANDIDATES:
            return {**found, "lift": None, "interval_90": None}
        lift = (hits.value or 0.0) - (misses.value or 0.0)
        half_width = Z_90 * math.sqrt(hits.variance_of_mean + misses.variance_of_mean)
        interval = [rounded(lift - half_width), rounded(lift + half_width)]
        return {**found, "lift": rounded(lift), "interval_90": interval}


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
