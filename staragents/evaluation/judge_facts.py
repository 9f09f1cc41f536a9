"""Who compared the students' answers, and on what."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class JudgeFacts:
    """`model`: the judge's, or its kind of engine, such as fake."""

    model: str
    fake: bool
    """Whether its verdicts say nothing, because its engine is made for tests."""
    prompts: int
    """Held-out prompts that every student answered."""
    answer_tokens: int
    """Maximum of an answer."""
    comparisons: int
    """Of all students together, identical answers included."""
    unreadable: int
    """Comparisons without a readable verdict."""

    def __str__(self) -> str:
        of = "FAKE judge, whose verdicts say nothing" if self.fake else f"judge {self.model}"
        return f"{of}: {self.comparisons:,} comparisons on {self.prompts:,} prompts"
