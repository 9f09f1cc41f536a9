"""The policy interface and the values that pass through it."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from staragents.base.records import Candidate
from staragents.config import Credit

SHOWN = 10
"""Neighbours kept with a draw, unless its policy needs more."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A pair's remembered reward on a similar instruction; `similarity` is the cosine."""

    pair: str
    reward: float
    similarity: float


@dataclass(frozen=True, slots=True, eq=False)
class RecalledOutcomes:
    """Outcomes on similar instructions, as columns of equal length: the most similar seed first, the outcomes
    of one seed next to each other. `similarities` are cosines."""

    seed_ids: tuple[str, ...] = ()
    pairs: tuple[str, ...] = ()
    rewards: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    similarities: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    won: npt.NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))

    def __len__(self) -> int:
        return len(self.pairs)

    def nearest(self, number: int = SHOWN) -> tuple[Neighbour, ...]:
        columns = (self.pairs[:number], self.rewards[:number].tolist(), self.similarities[:number].tolist())
        return tuple(map(Neighbour, *columns))

    def winners(self) -> RecalledOutcomes:
        """The outcomes of chosen candidates."""
        rows = self.won.nonzero()[0]
        return RecalledOutcomes(
            tuple(self.seed_ids[row] for row in rows),
            tuple(self.pairs[row] for row in rows),
            self.rewards[rows],
            self.similarities[rows],
            self.won[rows],
        )


@dataclass(frozen=True, slots=True)
class DrawContext:
    """What a draw knew about its instruction, as far as it is kept: in the state and in the candidates."""

    outcomes: int = 0
    """The number of recalled outcomes."""
    neighbours: tuple[Neighbour, ...] = ()
    """The nearest of them, most similar first; of `paper` all that its draw depends on."""
    readings: Mapping[str, float] = field(default_factory=dict)
    """By how much the recalled outcomes say that a pair earns more (or less) on such instructions than it
    earns in general, before the slope that the policy learns; under `i+` and `+r` what they say of all pairs
    with that instruction agent or response agent. What is missing has 0."""

    @classmethod
    def of(cls, recalled: RecalledOutcomes, readings: Mapping[str, float] | None = None) -> DrawContext:
        return cls(len(recalled), recalled.nearest(), readings or {})

    def state(self) -> dict[str, Any]:
        neighbours = [[one.pair, one.reward, one.similarity] for one in self.neighbours]
        return {"outcomes": self.outcomes, "neighbours": neighbours, "readings": dict(self.readings)}

    @classmethod
    def read(cls, state: Mapping[str, Any]) -> DrawContext:
        """From `state()`, or from a state of earlier versions, which has neighbours only."""
        neighbours = tuple(Neighbour(*one) for one in state.get("neighbours", ()))
        return cls(state.get("outcomes", len(neighbours)), neighbours, state.get("readings", {}))


NO_CONTEXT = DrawContext()


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


def outcomes_of(learned: Iterable[tuple[Candidate, float]]) -> list[Outcome]:
    """What a policy learns from the committed candidates of a seed and their values. Base pairs are called
    for every seed, so it does not learn about them."""
    return [
        Outcome(candidate.pair, value, candidate.selected, candidate.propensity)
        for candidate, value in learned
        if not candidate.base
    ]


@dataclass(frozen=True, slots=True)
class PairStats:
    """A pair's probability of being the next single draw and the 90 % interval of its mean reward.

    A pair without observations has mean 1/2 and the interval [0, 1]. The draw can't include one that is not
    `drawable`: base pairs, retired ones, those that are not in the run yet.
    """

    pair: str
    probability: float
    mean_reward: float
    low: float
    high: float
    observations: int
    drawable: bool = True

    @classmethod
    def unknown(cls, pair: str) -> PairStats:
        """Of a pair that is not in the run yet."""
        return cls(pair, 0.0, 0.5, 0.0, 1.0, 0, drawable=False)


class Policy(Protocol):
    """Draws pairs and learns from rewards. All randomness comes from the `seed` passed in.

    Rewards may arrive late, in any order, or never: a policy learns from `observe`, never from a draw.
    """

    name: str

    def context(self, recalled: RecalledOutcomes) -> DrawContext:
        """What the draw on an instruction will use of the recalled outcomes."""
        ...

    def inclusion(
        self, count: int, seed: int, context: DrawContext, without: Container[str] = ()
    ) -> dict[str, float]:
        """Each pair's positive inclusion probability; they sum to `count` (or the number of pairs).

        Pairs in `without` (model unavailable) are excluded; what was learnt about them is kept.
        """
        ...

    def draw(self, count: int, seed: int, context: DrawContext, without: Container[str] = ()) -> list[Draw]:
        """`count` distinct pairs (all if there are fewer), each with its inclusion probability."""
        ...

    def observe(self, outcomes: Sequence[Outcome], context: DrawContext = NO_CONTEXT) -> None:
        """Learn from all outcomes of one seed, whose draw knew `context`.

        Raises BadInput and learns nothing if a pair is unknown or a reward is outside [0, 1].
        """

    def pair_stats(self, without: Container[str] = ()) -> list[PairStats]:
        """One per pair, in config order; the probabilities sum to 1, those of pairs in `without` are 0."""
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


def keep_context(candidate: Candidate, context: DrawContext) -> None:
    """Store in a candidate what its draw knew."""
    candidate.neighbours = context.outcomes
    candidate.domain_similarity = max((one.similarity for one in context.neighbours), default=None)
    candidate.recalled = [asdict(neighbour) for neighbour in context.neighbours]
    candidate.readings = dict(context.readings) or None


def context_of(candidates: Sequence[Candidate]) -> DrawContext:
    """What the draw of one seed's candidates knew."""
    first = candidates[0]
    neighbours = tuple(Neighbour(**neighbour) for neighbour in first.recalled or ())
    return DrawContext(first.neighbours, neighbours, first.readings or {})


def credited(outcome: Outcome, credit: Credit) -> float:
    """The reward that a policy learns from: with `winner`, only that of the chosen candidate (eq. 8)."""
    return outcome.reward if credit is Credit.all or outcome.winner else 0.0
