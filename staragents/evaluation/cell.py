"""One trained student: what it was trained on, and its losses on held-out answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Cell:
    """One student to train. The arm `BASE` is the student without training, once for all training seeds."""

    arm: str
    training_seed: int


@dataclass(frozen=True, slots=True)
class Loss:
    """Of one answer: the mean negative log-likelihood in nats per token, and what was counted."""

    nats: float
    tokens: int
    answer_bytes: int


@dataclass(frozen=True, slots=True)
class CellResult:
    """The measurements of a trained student."""

    cell: Cell
    losses: Mapping[str, Mapping[str, Loss]]
    """By conversation id, then by writer. Answers without a loss (too long or too short) are missing, and are
    the same in all cells of an evaluation, because all have the same tokenizer."""
    trained_tokens: int
    """Answer tokens in all steps."""
    rows: int
    """Different rows in all steps."""
    steps: int
    final_loss: float | None
    """Mean training loss of the last tenth of the steps; None without training."""
    seconds: float
    wins: Mapping[str, float] | None = None
    """By conversation id: the probability that the judge prefers the student's answer to the untrained
    student's, as the mean of both orders. None if nothing was judged."""
    scores: Mapping[str, float] | None = None
    """By task of lm-evaluation-harness. None if it did not run."""
    answers: Mapping[str, str] | None = None
    """By conversation id: what the student wrote to a held-out prompt, for the judge. None if not asked."""
    diverged: str | None = None
    """Which loss was not finite, so that nothing was measured and the student does not count. None if all
    were."""

    def as_dict(self) -> dict[str, Any]:
        """JSON of one cell's file, the inverse of `from_dict`."""
        return {
            "arm": self.cell.arm,
            "training_seed": self.cell.training_seed,
            "losses": {
                name: {writer: [one.nats, one.tokens, one.answer_bytes] for writer, one in by_writer.items()}
                for name, by_writer in self.losses.items()
            },
            "trained_tokens": self.trained_tokens,
            "rows": self.rows,
            "steps": self.steps,
            "final_loss": self.final_loss,
            "seconds": self.seconds,
            "wins": None if self.wins is None else dict(self.wins),
            "scores": None if self.scores is None else dict(self.scores),
            "answers": None if self.answers is None else dict(self.answers),
            "diverged": self.diverged,
        }

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> CellResult:
        """Raises KeyError, TypeError or ValueError if it was not made by `as_dict`."""
        try:
            losses = {
                name: {writer: Loss(*one) for writer, one in by_writer.items()}
                for name, by_writer in saved["losses"].items()
            }
        except (AttributeError, TypeError) as error:
            raise ValueError(f"losses: {error}") from error
        rest = {name: value for name, value in saved.items() if name not in ("arm", "training_seed")}
        return cls(**{**rest, "cell": Cell(saved["arm"], saved["training_seed"]), "losses": losses})


BASE = "untrained"
