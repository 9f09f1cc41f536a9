"""The policy interface and the values that pass through it."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Neighbour:
    """What a pair earned on a similar instruction, as remembered; `similarity` is the cosine."""

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
    """What a pair earned on one seed, in [0, 1], whether its candidate won, and its draw's propensity."""

    pair: str
    reward: float
    winner: bool
    propensity: float = 1.0


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
    """Draws pairs and learns from rewards. All randomness comes from the `seed` passed in.

    Rewards may come late, in any order, or never: nothing is learnt from a draw, only from `observe`.
    """

    name: str

    def inclusion(
        self, count: int, seed: int, recalled: Sequence[Neighbour], without: Container[str] = ()
    ) -> dict[str, float]:
        """Each pair's probability to be drawn: above 0, and together `count` (or the number of pairs).

        Pairs in `without` (their model is away) are left out; what was learnt about them stays.
        """
        ...

    def draw(
        self, count: int, seed: int, recalled: Sequence[Neighbour], without: Container[str] = ()
    ) -> list[Drawn]:
        """`count` different pairs (all, if there are fewer), each with its `inclusion`."""
        ...

    def observe(self, outcomes: Sequence[Outcome], recalled: Sequence[Neighbour] = ()) -> None:
        """All outcomes of one seed, and the neighbours its draw was made with.

        Raises BadInput, and learns nothing, for an unknown pair or a reward outside [0, 1].
        """

    def standings(self) -> list[Standing]:
        """One a pair, in the order of the config; the probabilities sum to 1."""
        ...

    def state(self) -> dict[str, Any]:
        """Everything learnt, as JSON values."""
        ...

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `state` gave: later draws are those of the policy that gave it.

        Pairs that the state lacks are new and start unknown. Raises BadInput if it has pairs that this
        policy lacks: a pair that goes away stays in the config, and draws are made `without` it.
        """

    def merge(self, state: dict[str, Any]) -> None:
        """Add what another shard of the same run has learnt."""


def credited(outcome: Outcome, credit: str) -> float:
    """The reward that a policy learns from: with `winner` only the chosen candidate's counts (eq. 8)."""
    return outcome.reward if credit == "all" or outcome.winner else 0.0
