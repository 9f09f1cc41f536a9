"""What a student is trained on."""

from __future__ import annotations

from dataclasses import dataclass

from staragents.base.messages import Conversation


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """A conversation that ends with the response to learn."""

    seed_id: str
    messages: Conversation
    filled: bool = False
    """Whether it is the unchanged seed, because the arm has no row of its own for it."""


@dataclass(frozen=True, slots=True)
class Arm:
    """One choice of training data. Row i of every arm belongs to the same seed, except in an arm from a file
    whose rows name no seeds."""

    name: str
    rows: tuple[TrainingRow, ...]

    @property
    def filled(self) -> int:
        """Rows that are the unchanged seed, because the arm lacks one."""
        return sum(row.filled for row in self.rows)
