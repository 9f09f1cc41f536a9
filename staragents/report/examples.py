"""Selects example candidates: the best accepted, some that lost to their seed, some rejected."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

from staragents.analysis.rows import Row, instruction_of, response_of
from staragents.analysis.statistics import Sample

ACCEPTED, LOST, REJECTED = 5, 3, 4
MAX_CHARS = 1_500


@dataclass(frozen=True, slots=True)
class Text:
    """A text for display, cut at `MAX_CHARS`; `more` is the number of omitted characters."""

    shown: str
    more: int

    @classmethod
    def of(cls, text: str) -> Text:
        return cls(text[:MAX_CHARS], max(len(text) - MAX_CHARS, 0))


@dataclass(frozen=True, slots=True)
class Example:
    """A seed and a pair's candidate for it. `outcome` is accepted, lost or rejected."""

    outcome: str
    row: Row
    seed: tuple[Text, Text]
    candidate: tuple[Text, Text] | None
    rejected_text: Text | None
    earlier_turns: int


@dataclass(slots=True)
class Examples:
    """Keeps at most twelve rows of a run."""

    _accepted: list[tuple[float, int, Row]] = field(default_factory=list)
    _lost: Sample[Row] = field(default_factory=lambda: Sample(LOST))
    _rejected: dict[str, Row] = field(default_factory=dict)
    _seen: int = 0

    def add(self, row: Row) -> None:
        self._seen += 1
        if row["selected"]:
            self._add_accepted(row)
        elif row["judge_win"] is not None and row["judge_win"] < 0.5 and row["reject_reason"] is None:
            self._lost.add(row)
        elif row["reject_reason"] is not None and len(self._rejected) < REJECTED:
            self._rejected.setdefault(row["reject_reason"], row)

    def _add_accepted(self, row: Row) -> None:
        reward = row["reward"] or 0.0
        if len(self._accepted) == ACCEPTED and reward <= self._accepted[0][0]:
            return
        # The count breaks ties, as rows can't be compared; negative, so that the earlier of equals stays.
        heapq.heappush(self._accepted, (reward, -self._seen, row))
        if len(self._accepted) > ACCEPTED:
            heapq.heappop(self._accepted)

    def chosen(self) -> list[Example]:
        """The best accepted first, then lost, then one rejected example per reason."""
        accepted = [row for _, _, row in sorted(self._accepted, key=lambda item: item[:2], reverse=True)]
        return [
            *(_example("accepted", row) for row in accepted),
            *(_example("lost", row) for row in self._lost.items),
            *(_example("rejected", row) for row in self._rejected.values()),
        ]


def _example(outcome: str, row: Row) -> Example:
    seed, messages = row["seed_messages"], row["messages"]
    return Example(
        outcome=outcome,
        row=row,
        seed=_texts(seed),
        candidate=_texts(messages) if messages else None,
        rejected_text=Text.of(row["rejected_text"]) if row["rejected_text"] else None,
        earlier_turns=len(seed) - 2,
    )


def _texts(messages: list[dict[str, str]]) -> tuple[Text, Text]:
    return Text.of(instruction_of(messages)), Text.of(response_of(messages))
