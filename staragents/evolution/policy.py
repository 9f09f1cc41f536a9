"""The policy interface and the values that pass through it."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from staragents.base.records import Candidate


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A pair's remembered reward on a similar instruction; `similarity` is the cosine."""

    pair: str
    reward: float
    similarity: float


@dataclass(frozen=True, slots=True)
class Draw:
    """A pair to call for a seed; `propensity` is the probability that the draw includes it."""

    pair: str
    propensity: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """A pair's reward on one seed, in [0, 1], whether its candidate won, and the propensity of its draw."""

    pair: str
    reward: float
    winner: bool
    propensity: float = 1.0


@dataclass(frozen=True, slots=True)
class PairStats:
    """A pair's probability of being the next single draw and the 90 % interval of its mean reward.

    A pair without observations has mean 1/2 and the interval [0, 1].
    """

    pair: str
    probability: float
    mean_reward: float
    low: float
    high: float
    observations: int


class Policy(Protocol):
    """Draws pairs and learns from rewards. All randomness comes from the `seed` passed in.

    Rewards may arrive late, in any order, or never: a policy learns from `observe`, never from a draw.
    """

    name: str

    def inclusion(
        self, count: int, seed: int, recalled: Sequence[Neighbour], without: Container[str] = ()
    ) -> dict[str, float]:
        """Each pair's positive inclusion probability; they sum to `count` (or the number of pairs).

        Pairs in `without` (model unavailable) are excluded; what was learnt about them is kept.
        """
        ...

    def draw(
        self, count: int, seed: int, recalled: Sequence[Neighbour], without: Container[str] = ()
    ) -> list[Draw]:
        """`count` distinct pairs (all if there are fewer), each with its inclusion probability."""
        ...

    def observe(self, outcomes: Sequence[Outcome], recalled: Sequence[Neighbour] = ()) -> None:
        """Learn from all outcomes of one seed and the neighbours known to its draw.

        Raises BadInput and learns nothing if a pair is unknown or a reward is outside [0, 1].
        """

    def pair_stats(self) -> list[PairStats]:
        """One per pair, in config order; the probabilities sum to 1."""
        ...

    def state(self) -> dict[str, Any]:
        """Everything learnt, as JSON values."""
        ...

    def restore(self, state: dict[str, Any]) -> None:
        """Restore a saved state: later draws equal those of the policy that saved it.

        Pairs missing from the state are new and start without observations. Raises BadInput for pairs
        unknown to this policy: a retired pair stays in the config, and draws are made `without` it.
        """

    def merge(self, state: dict[str, Any]) -> None:
        """Add what another shard of the same run has learnt."""


def recalled_by(candidates: Sequence[Candidate]) -> list[Neighbour]:
    """The neighbours that the draw of one seed's candidates knew, most similar first."""
    return [Neighbour(**neighbour) for neighbour in candidates[0].recalled or ()]


def credited(outcome: Outcome, credit: str) -> float:
    """The reward that a policy learns from: with `winner`, only that of the chosen candidate (eq. 8)."""
    return outcome.reward if credit == "all" or outcome.winner else 0.0
