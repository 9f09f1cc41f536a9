"""Preference data from a run's verdicts.

A verdict counts if the judge prefers one side, consistently if both orders were judged. The other side is the
candidate's baseline: the seed or the base pair's sample.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from staragents.analysis.opponent import Opponent
from staragents.base.messages import Conversation
from staragents.base.records import Candidate
from staragents.config import Config
from staragents.data.formats.dpo import Preference
from staragents.data.formats.kto import Opinion


@dataclass(frozen=True, slots=True)
class Decided:
    """A verdict on two different conversations."""

    winner: Conversation
    loser: Conversation


def decided(candidates: list[Candidate], config: Config) -> Iterator[Decided]:
    """The decisive verdicts on one seed's candidates. Failed and rejected candidates have none."""
    for candidate in candidates:
        win = candidate.judge_win
        if win is None or win == 0.5 or candidate.judge_agreement is False:
            continue
        if candidate.failed or candidate.rejected:
            continue
        other = Opponent.of(candidate, candidates, config).messages
        if other is None or other == candidate.messages:
            continue
        yield Decided(candidate.messages, other) if win > 0.5 else Decided(other, candidate.messages)


def preferences(verdicts: list[Decided]) -> Iterator[Preference]:
    """Verdicts whose sides answer the same turns, deduplicated. A rewritten instruction has only one
    answer."""
    seen = set()
    for verdict in verdicts:
        prompt, (chosen, rejected) = verdict.winner[:-1], (verdict.winner[-1], verdict.loser[-1])
        if prompt != verdict.loser[:-1] or chosen.content == rejected.content:
            continue
        if (prompt, chosen, rejected) not in seen:
            seen.add((prompt, chosen, rejected))
            yield Preference(
                prompt,
                chosen.content,
                rejected.content,
                chosen.reasoning_content,
                rejected.reasoning_content,
            )


def opinions(verdicts: list[Decided]) -> Iterator[Opinion]:
    """Each side once. A side that won one verdict and lost another is omitted."""
    won, lost = {verdict.winner for verdict in verdicts}, {verdict.loser for verdict in verdicts}
    for messages in dict.fromkeys(side for v in verdicts for side in (v.winner, v.loser)):
        if (messages in won) != (messages in lost):
            yield Opinion(messages, messages in won)
