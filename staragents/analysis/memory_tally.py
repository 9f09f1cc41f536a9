"""Counts recalls."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from staragents.analysis.tallies import ratio, rounded
from staragents.base.records import Candidate
from staragents.base.statistics import Mean


@dataclass(slots=True)
class MemoryTally:
    """Recalls, and rewards of drawn pairs with and without recalled neighbours."""

    seeds: int = 0
    hits: int = 0
    similarity: Mean = field(default_factory=Mean)
    with_neighbours: Mean = field(default_factory=Mean)
    without: Mean = field(default_factory=Mean)

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

    def summary(self, enabled: bool) -> dict[str, Any]:
        return {
            "enabled": enabled,
            "seeds": self.seeds,
            "hit_rate": ratio(self.hits, self.seeds),
            "similarity": rounded(self.similarity.value),
            "reward_of_hits": rounded(self.with_neighbours.value),
            "reward_of_misses": rounded(self.without.value),
        }
