"""The judge's verdict on a candidate, combined from the verdicts of both orders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from staragents.agents.order_verdict import LABEL_VALUES, OrderVerdict
from staragents.base.messages import Conversation
from staragents.config import JudgeConfig, Verdicts


@dataclass(frozen=True, slots=True)
class Verdict:
    """The combined verdict, in terms of the candidate: 1 better, 0 worse, 0.5 a tie.

    `win_first` and `reason` are from the order that shows the candidate as A. `win_second` and `agreement`
    are None if only one order was judged.
    """

    win: float
    agreement: bool | None
    win_first: float
    win_second: float | None
    reason: str


STILL_THINKING = "the judge was still thinking at its token limit"
"""Begins the message about a verdict that never came."""

TIE = Verdict(0.5, True, 0.5, 0.5, "both texts are the same")
"""The verdict on identical texts, without a judge call."""


def is_identical(candidate: Conversation, baseline: Conversation) -> bool:
    """Whether the last exchanges differ at most in white space, so that there is nothing to compare."""
    return all(
        ours.content.split() == theirs.content.split()
        # The responses first: candidates that keep the instruction differ in these.
        for ours, theirs in zip(reversed(candidate[-2:]), reversed(baseline[-2:]), strict=True)
    )


def combine(verdicts: Sequence[OrderVerdict | None], config: JudgeConfig) -> Verdict | None:
    """Combine the verdicts of both orders, in terms of the candidate; None (invalid) if one is missing.

    `verdicts` are in the order of `judge_requests`. soft: mean of the probabilities; a constant position
    bias b, (w + b) and (w - b), cancels. hard: mean of the label values. conservative (MT-bench,
    arXiv 2306.05685, section 3.4): a win only if both orders agree, else a tie.
    """
    if not verdicts or any(verdict is None for verdict in verdicts):
        return None
    first, *others = cast("Sequence[OrderVerdict]", verdicts)
    label_values = [LABEL_VALUES[first.label], *(1 - LABEL_VALUES[other.label] for other in others)]
    soft = config.verdict is Verdicts.soft
    wins = [first.a_wins, *(1 - other.a_wins for other in others)] if soft else label_values
    agree = len(set(label_values)) == 1
    win = sum(wins) / len(wins)
    if config.verdict is Verdicts.conservative and not agree:
        win = 0.5
    return Verdict(win, agree if others else None, wins[0], wins[1] if others else None, first.reason)
