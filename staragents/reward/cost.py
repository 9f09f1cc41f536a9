"""Reward per cost: what a policy learns from when cost matters too."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from staragents.base.records import Candidate
from staragents.config import Cost


def learned_value(kind: Cost) -> str:
    """The value that the policy learns, as a formula for users."""
    return "reward" if kind is Cost.none else f"reward / (1 + {kind.value} / mean {kind.value})"


class CostScale:
    """Reward per cost, scaled into [0, 1] by the run's own mean cost of a candidate.

    value = reward / (1 + cost / mean cost)

    It is proportional to the reward per 1,000 tokens (or per second) of the candidate plus one candidate of
    mean cost, because the seed's other candidates are paid for too. The plain ratio reward / cost is
    unbounded and would favour agents that write almost nothing. Ours; the paper has no cost.

    Token counts are equal in every repetition of a run. Seconds vary with the load of engines and scorers,
    so a run that learns from them is not reproducible draw by draw.
    """

    def __init__(self, kind: Cost) -> None:
        self._kind = kind
        self._count = 0
        self._total = 0.0

    def add(self, tokens: float, seconds: float) -> None:
        """Include a candidate in the mean cost."""
        self._count += 1
        self._total += self._cost(tokens, seconds)

    def value(self, reward: float, tokens: float, seconds: float) -> float:
        """The value in [0, reward] that the policy learns for a candidate with `reward` in [0, 1]."""
        if self._kind is Cost.none:
            return reward
        relative = self._cost(tokens, seconds) * self._count / self._total if self._total else 1.0
        return reward / (1.0 + relative)

    def learned(self, candidates: Iterable[Candidate]) -> list[tuple[Candidate, float]]:
        """Every candidate of a seed that has a reward, with the value that the policy learns. All of them are
        included in the mean cost before the first is valued."""
        rewarded = [candidate for candidate in candidates if candidate.reward is not None]
        for candidate in rewarded:
            self.add(candidate.tokens, candidate.seconds)
        return [(c, self.value(c.reward or 0.0, c.tokens, c.seconds)) for c in rewarded]

    def state(self) -> dict[str, Any]:
        """Sums that shards can add."""
        return {"count": self._count, "total": self._total}

    def restore(self, state: dict[str, Any]) -> None:
        self._count, self._total = state["count"], state["total"]

    def _cost(self, tokens: float, seconds: float) -> float:
        return float(seconds if self._kind is Cost.seconds else tokens)
