"""What came of one arm, and its differences from a reference."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from staragents.base.estimate import Estimate

LOSS, WINS, SCORE = "loss", "wins", "score"


def read_estimate(saved: dict[str, float] | None) -> Estimate | None:
    """The inverse of `dataclasses.asdict` for an estimate that may be missing."""
    return None if saved is None else Estimate(**saved)


@dataclass(frozen=True, slots=True)
class ArmRow:
    """The means of an arm over its students; each interval holds by itself in 95 %. Losses are nats per
    token, and conversations count equally. The untrained student has such a row too, without trained
    tokens."""

    name: str
    rows: int
    filled: int
    """Rows that are the unchanged seed, because the arm lacks one."""
    answer_tokens: float | None
    """Mean tokens of an answer to train on; None if not counted."""
    trained_tokens: float
    """Mean over the students."""
    steps: float
    final_loss: float | None
    """Mean training loss of the last tenth of the steps."""
    seconds: float
    """Of all its students together."""
    loss: Estimate | None
    writers: dict[str, Estimate | None] = field(default_factory=dict)
    """The loss on the answers of each writer."""
    wins: Estimate | None = None
    """Probability that the judge prefers the student's answer to the untrained student's. `low` equals `high`
    where all verdicts are the same, which is no interval."""
    scores: dict[str, Estimate | None] = field(default_factory=dict)
    """By task of lm-evaluation-harness. `low` equals `high` where a single student has no interval."""

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> ArmRow:
        """The inverse of `dataclasses.asdict`."""
        read: dict[str, Any] = {name: read_estimate(saved[name]) for name in ("loss", "wins")}
        for name in ("writers", "scores"):
            read[name] = {key: read_estimate(one) for key, one in saved[name].items()}
        return cls(**{**saved, **read})


@dataclass(frozen=True, slots=True)
class Difference:
    """`arm` minus `reference`, paired by conversation and training seed. The intervals of all arms that are
    compared with the same reference in the same measure hold at once in 95 %; those of pairs apart from the
    others."""

    measure: str
    """`LOSS` in nats per token, `WINS` or `SCORE`."""
    of: str
    """The writer or task; empty for the loss on all writers' answers, and for wins."""
    arm: str
    reference: str
    estimate: Estimate | None

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> Difference:
        """The inverse of `dataclasses.asdict`."""
        return cls(**{**saved, "estimate": read_estimate(saved["estimate"])})
