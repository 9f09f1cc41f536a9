"""What a policy learns from when rewards are to be cheap as well as high."""

from __future__ import annotations

from typing import Any

from staragents.config import Cost


class CostScale:
    """Reward per cost, scaled into [0, 1] by the run's own mean cost of a candidate.

    value = reward / (1 + cost / mean cost)

    It is proportional to the reward per 1,000 tokens, or per second, of the candidate and one of mean cost
    beside it: the seed's other candidates are paid for too. The bare ratio reward / cost has no upper bound
    and would favour whatever writes next to nothing. Ours; the paper has no cost.

    Tokens are the same in every repetition of a run; seconds are what engines and scorers took on the day,
    so a run that learns from them can't be repeated draw by draw.
    """

    def __init__(self, kind: Cost) -> None:
        self._kind = kind
        self._count = 0
        self._total = 0.0

    def add(self, tokens: int, seconds: float) -> None:
        """Count a candidate into the mean."""
        self._count += 1
        self._total += self._cost(tokens, seconds)

    def value(self, reward: float, tokens: int, seconds: float) -> float:
        """What the policy learns of a candidate that earned `reward` in [0, 1]; in [0, reward]."""
        if self._kind is Cost.none:
            return reward
        relative = self._cost(tokens, seconds) * self._count / self._total if self._total else 1.0
        return reward / (1.0 + relative)

    def state(self) -> dict[str, Any]:
        """Sums, so that shards add up."""
        return {"count": self._count, "total": self._total}

    def restore(self, state: dict[str, Any]) -> None:
        self._count, self._total = state["count"], state["total"]

    def _cost(self, tokens: int, seconds: float) -> float:
        return seconds if self._kind is Cost.seconds else float(tokens)
