"""Selects example candidates: the best accepted, some to which the judge prefers another, some rejected."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

from staragents.analysis.opponent import Opponent
from staragents.base.messages import Conversation, last_exchange
from staragents.base.records import Candidate, Status
from staragents.base.statistics import Sample
from staragents.config import Config

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
    """A seed and a pair's candidate for it, each as instruction, response and the reasoning of the response.
    `outcome` is accepted, lost or rejected; `opponent` names what the judge preferred to a lost one."""

    outcome: str
    opponent: str
    row: Candidate
    seed: tuple[Text, Text, Text | None]
    candidate: tuple[Text, Text, Text | None] | None
    rejected_text: Text | None
    earlier_turns: int


@dataclass(slots=True)
class Examples:
    """Keeps at most twelve candidates of a run."""

    config: Config
    _accepted: list[tuple[float, int, Candidate]] = field(default_factory=list)
    _lost: Sample[tuple[Candidate, str]] = field(default_factory=lambda: Sample(LOST))
    _rejected: dict[str, Candidate] = field(default_factory=dict)
    _seen: int = 0

    def add_seed(self, candidates: list[Candidate]) -> None:
        """Add the next seed's candidates."""
        for candidate in candidates:
            self._add(candidate, candidates)

    def _add(self, candidate: Candidate, candidates: list[Candidate]) -> None:
        self._seen += 1
        win = candidate.judge_win
        if candidate.status is Status.chosen:
            self._add_accepted(candidate)
        elif candidate.rejected:
            if len(self._rejected) < REJECTED:
                self._rejected.setdefault(candidate.reject_reason or "", candidate)
        elif candidate.status is Status.lost and win is not None and win < 0.5:
            self._lost.add((candidate, Opponent.of(candidate, candidates, self.config).name))

    def _add_accepted(self, candidate: Candidate) -> None:
        reward = candidate.reward or 0.0
        if len(self._accepted) == ACCEPTED and reward <= self._accepted[0][0]:
            return
        # The count breaks ties, as candidates can't be compared; negative, so the earlier of equals stays.
        heapq.heappush(self._accepted, (reward, -self._seen, candidate))
        if len(self._accepted) > ACCEPTED:
            heapq.heappop(self._accepted)

    def chosen(self) -> list[Example]:
        """The best accepted first, then lost, then one rejected example per reason."""
        accepted = [
            candidate for _, _, candidate in sorted(self._accepted, key=lambda item: item[:2], reverse=True)
        ]
        return [
            *(_example("accepted", one) for one in accepted),
            *(_example("lost", one, opponent) for one, opponent in self._lost.items),
            *(_example("rejected", one) for one in self._rejected.values()),
        ]


def _example(outcome: str, candidate: Candidate, opponent: str = "") -> Example:
    seed, messages = candidate.seed_messages, candidate.messages
    return Example(
        outcome=outcome,
        opponent=opponent,
        row=candidate,
        seed=_texts(seed),
        candidate=_texts(messages) if messages else None,
        rejected_text=Text.of(candidate.rejected_text) if candidate.rejected_text else None,
        earlier_turns=len(seed) - 2,
    )


def _texts(messages: Conversation) -> tuple[Text, Text, Text | None]:
    instruction, response = last_exchange(messages)
    reasoning = messages[-1].reasoning_content
    return Text.of(instruction), Text.of(response), Text.of(reasoning) if reasoning else None
