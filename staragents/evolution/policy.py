"""The policy interface and the values that pass through it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A winner remembered for a similar instruction; `similarity` is the cosine."""

    pair: str
    reward: float
    similarity: float


@dataclass(frozen=True, slots=True)
class Drawn:
    """A pair to call for a seed; `propensity` is the probability that the draw includes it."""

    pair: str
    propensity: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a pair earned on one seed, in [0, 1], and whether its candidate was chosen."""

    pair: str
    reward: float
    winner: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """A pair's place: its chance to be the next single draw and a 90 % interval of its mean reward.

    A pair without observations stands at 1/2, between 0 and 1.
    """

    pair: str
    probability: float
    mean_reward: float
    low: float
    high: float
    observations: int


class Policy(Protocol):
    """Draws pairs and learns from rewards. All randomness comes from the `seed` passed in."""

    name: str

    def inclusion(self, count: int, seed: int, recalled: Sequence[Neighbour]) -> dict[str, float]:
        """Each pair's probability to be drawn: above 0, and together `count` (or the number of pairs)."""
        ...

    def draw(self, count: int, seed: int, recalled: Sequence[Neighbour]) -> list[Drawn]:
        """`count` different pairs (all, if there are fewer), each with its `inclusion`."""
        ...

    def observe(self, outcomes: Sequence[Outcome]) -> None:
        """All outcomes of one seed."""

    def standings(self) -> list[Standing]:
        """One a pair, in the order of the config; the probabilities sum to 1."""
        ...

    def state(self) -> dict[str, Any]:
        """Everything learnt, as JSON values."""
        ...

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `state` gave: later draws are those of the policy that gave it."""

    def merge(self, state: dict[str, Any]) -> None:
        """Add what another shard of the same run has learnt."""


def credited(outcome: Outcome, credit: str) -> float:
    """The reward that a policy learns from: with `winner` only the chosen candidate's counts (eq. 8)."""
    return outcome.reward if credit == "all" or outcome.winner else 0.0
