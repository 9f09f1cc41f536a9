"""What a bank remembers of one committed seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from staragents.config import Keep, MemoryConfig
from staragents.evolution.policy import Outcome, RecalledOutcomes

Vector = NDArray[np.float32]

# Of a cosine: smaller differences are rounding errors that vary between machines.
DIGITS = 6
BEFORE_THIS_RUN = -1


@dataclass(frozen=True, slots=True)
class Memory:
    """What the drawn pairs earned on one seed, as parallel columns; none for a seed with nothing to remember.

    `order` is the seed's position in the run, or -1 in an earlier run. `vector` is the unit embedding of the
    seed's instruction, shape (size,); None if there is nothing to remember.
    """

    order: int
    seed_id: str
    pairs: tuple[str, ...] = ()
    rewards: tuple[float, ...] = ()
    won: tuple[bool, ...] = ()
    vector: Vector | None = None


def kept(config: MemoryConfig, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
    """What is remembered of all that the policy learns of a seed: all, or by `memory.keep: winners` the
    winner alone if it earned more than `memory.min_reward`."""
    if config.keep is Keep.winners:
        return [one for one in outcomes if one.winner and one.reward > config.min_reward]
    return outcomes


@dataclass(frozen=True, slots=True)
class Taught:
    """A committed seed before its instruction is embedded."""

    order: int
    seed_id: str
    instruction: str
    pairs: tuple[str, ...] = ()
    rewards: tuple[float, ...] = ()
    won: tuple[bool, ...] = ()

    @classmethod
    def by(
        cls, config: MemoryConfig, order: int, seed_id: str, instruction: str, outcomes: Sequence[Outcome]
    ) -> Taught:
        """`outcomes`: all that the policy learns of the seed, of which it takes those `kept`."""
        outcomes = kept(config, outcomes)
        return cls(
            order,
            seed_id,
            instruction,
            tuple(one.pair for one in outcomes),
            tuple(one.reward for one in outcomes),
            tuple(one.winner for one in outcomes),
        )

    def memory(self, vector: Vector | None) -> Memory:
        """Without a vector, only that the seed was committed."""
        if vector is None:
            return Memory(self.order, self.seed_id)
        return Memory(self.order, self.seed_id, self.pairs, self.rewards, self.won, vector)


def recalled(found: Sequence[tuple[Memory, float]]) -> RecalledOutcomes:
    """The outcomes of memories with their cosines, in the given order."""
    counts = np.array([len(memory.pairs) for memory, _ in found], dtype=np.int64)
    return RecalledOutcomes(
        tuple(memory.seed_id for memory, _ in found for _ in memory.pairs),
        tuple(pair for memory, _ in found for pair in memory.pairs),
        np.array([reward for memory, _ in found for reward in memory.rewards], dtype=np.float64),
        np.repeat(np.array([cosine for _, cosine in found], dtype=np.float64), counts),
        np.array([won for memory, _ in found for won in memory.won], dtype=np.bool_),
    )
