"""The result of an evaluation: the content of evaluate.json."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from staragents.evaluation.arm_row import LOSS, ArmRow, Difference
from staragents.evaluation.by_pair import ByPair
from staragents.evaluation.judge_facts import JudgeFacts
from staragents.evaluation.power import Power

RESULT = "evaluate.json"
PAGE = "evaluate.html"


@dataclass(frozen=True, slots=True)
class HeldOutFacts:
    """The file that students were measured on."""

    path: str
    sha256: str
    """Of the ids and writers of the conversations that students were measured on, not of the file."""
    conversations: int
    """Conversations with a loss in every student; those of one prompt count once."""
    writers: list[str]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Students trained on each arm, measured on held-out answers."""

    student: str
    runs: list[str]
    settings: dict[str, Any]
    """The section `evaluation` of the config, with the defaults that depend on the student filled in."""
    held_out: HeldOutFacts
    seeds: int
    """Seeds that all arms share."""
    training_seeds: list[int]
    """Those that all arms were trained with; others do not count."""
    references: list[str]
    """Arms with which the others are compared."""
    untrained: ArmRow | None
    """The student without training."""
    arms: list[ArmRow]
    differences: list[Difference]
    power: Power
    by_pair: ByPair | None
    warnings: list[str]
    judge: JudgeFacts | None = None
    """Who compared the students' answers; None if nobody did."""
    results: list[str] = field(default_factory=list)
    """Checksums of the runs' results, by which an evaluation belongs to them wherever they lie. Files of
    earlier versions have none."""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> Evaluation:
        """The inverse of `as_dict`. Raises KeyError or TypeError if it was not made by it. Files of earlier
        versions have an `identity`, which nothing read."""
        untrained, pairs, judge = saved["untrained"], saved["by_pair"], saved.get("judge")
        read = {
            "held_out": HeldOutFacts(**saved["held_out"]),
            "untrained": ArmRow.from_dict(untrained) if untrained is not None else None,
            "arms": [ArmRow.from_dict(row) for row in saved["arms"]],
            "differences": [Difference.from_dict(one) for one in saved["differences"]],
            "power": Power(**saved["power"]),
            "by_pair": ByPair.from_dict(pairs) if pairs is not None else None,
            "judge": JudgeFacts(**judge) if judge is not None else None,
        }
        kept = {name: one for name, one in saved.items() if name != "identity"}
        return cls(**{**kept, **read})

    @property
    def tasks(self) -> list[str]:
        """Tasks with a score in some arm."""
        return list(dict.fromkeys(task for row in self.arms for task in row.scores))

    def compared(self, reference: str, measure: str = LOSS, of: str = "") -> list[Difference]:
        """The differences of one measure from one reference, in the order of the arms."""
        wanted = (reference, measure, of)
        return [one for one in self.differences if (one.reference, one.measure, one.of) == wanted]

    def difference(self, arm: str, reference: str, measure: str = LOSS, of: str = "") -> Difference | None:
        """One difference; None for the reference itself and where nothing was measured."""
        return next((one for one in self.compared(reference, measure, of) if one.arm == arm), None)
