"""How the verdicts of two orders are combined, and when the judge is not asked."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from staragents.agents.order_verdict import Label, OrderVerdict
from staragents.agents.verdict import TIE, Verdict, combine, is_identical
from staragents.base.messages import with_exchange
from staragents.config import JudgeConfig, Verdicts

SOFT, HARD = JudgeConfig(), JudgeConfig(verdict=Verdicts.hard)
CONSERVATIVE = JudgeConfig(verdict=Verdicts.conservative)


LABELLED = {
    "A": OrderVerdict("A", 1.0, "x"),
    "B": OrderVerdict("B", 0.0, "y"),
    "tie": OrderVerdict("tie", 0.5, "z"),
}


@pytest.mark.parametrize(
    ("first", "second", "hard", "conservative"),
    [
        ("A", "B", 1.0, 1.0),
        ("B", "A", 0.0, 0.0),
        ("tie", "tie", 0.5, 0.5),
        ("A", "A", 0.5, 0.5),
        ("B", "B", 0.5, 0.5),
        ("A", "tie", 0.75, 0.5),
        ("tie", "A", 0.25, 0.5),
    ],
)
def test_two_orders_become_one_verdict(first: str, second: str, hard: float, conservative: float) -> None:
    verdicts = [LABELLED[first], LABELLED[second]]

    by_hard, by_conservative = combine(verdicts, HARD), combine(verdicts, CONSERVATIVE)

    assert by_hard is not None
    assert by_conservative is not None
    assert (by_hard.win, by_conservative.win) == (hard, conservative)
    assert (
        by_hard.agreement
        == by_conservative.agreement
        == ((first, second) in {("A", "B"), ("B", "A"), ("tie", "tie")})
    )


def test_a_soft_verdict_reports_both_orders_from_the_candidates_side() -> None:
    verdict = combine([OrderVerdict("A", 0.9, "clear"), OrderVerdict("B", 0.4, "hm")], SOFT)

    assert verdict == Verdict(pytest.approx(0.75), True, 0.9, 0.6, "clear")


def test_one_order_alone_has_no_agreement() -> None:
    assert combine([OrderVerdict("B", 0.2, "")], SOFT) == Verdict(0.2, None, 0.2, None, "")


@pytest.mark.parametrize("verdicts", [[], [None], [LABELLED["A"], None], [None, LABELLED["A"]]])
def test_a_missing_order_is_invalid(verdicts: list[OrderVerdict | None]) -> None:
    assert combine(verdicts, SOFT) is None


PROBABILITIES = st.floats(0.0, 1.0)
CONFIGS = st.sampled_from([SOFT, HARD, CONSERVATIVE])


def order_verdict(a_wins: float) -> OrderVerdict:
    label: Label = "A" if a_wins > 0.5 else "B" if a_wins < 0.5 else "tie"
    return OrderVerdict(label, a_wins, "")


@settings(deadline=None)
@given(PROBABILITIES, CONFIGS)
def test_a_judge_that_only_looks_at_the_position_calls_a_tie(bias: float, config: JudgeConfig) -> None:
    verdict = combine([order_verdict(bias), order_verdict(bias)], config)

    assert verdict is not None
    assert verdict.win == pytest.approx(0.5)


@settings(deadline=None)
@given(st.floats(0.2, 0.8), st.floats(-0.2, 0.2))
def test_a_constant_position_bias_leaves_the_soft_verdict_alone(win: float, bias: float) -> None:
    verdict = combine([order_verdict(win + bias), order_verdict(1 - win + bias)], SOFT)

    assert verdict is not None
    assert verdict.win == pytest.approx(win)


@settings(deadline=None)
@given(PROBABILITIES, PROBABILITIES, CONFIGS)
def test_swapping_candidate_and_baseline_inverts_the_verdict(
    first: float, second: float, config: JudgeConfig
) -> None:
    verdict = combine([order_verdict(first), order_verdict(second)], config)
    swapped = combine([order_verdict(second), order_verdict(first)], config)

    assert verdict is not None
    assert swapped is not None
    assert swapped.win == pytest.approx(1 - verdict.win)
    assert swapped.agreement == verdict.agreement


def test_the_same_exchange_is_a_tie_without_a_call() -> None:
    candidate = with_exchange((), "Name two warm colours.", "Red and orange.")
    assert is_identical(candidate, with_exchange((), "Name two warm  colours. ", "Red and\norange."))
    assert not is_identical(candidate, with_exchange((), "Name a colour.", "Blue."))
    assert (TIE.win, TIE.agreement) == (0.5, True)
