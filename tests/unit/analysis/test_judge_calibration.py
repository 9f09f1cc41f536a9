"""How often a judge errs, and the margin that it needs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from staragents.agents.judge_trials import Harm
from staragents.agents.verdict import Verdict
from staragents.analysis.judge_calibration import calibration_of


def verdict(win: float, agreement: bool = True) -> Verdict:
    return Verdict(win, agreement, win, win, "")


def test_a_good_judge_needs_no_margin() -> None:
    found = calibration_of([(harm, verdict(0.02)) for harm in Harm for _ in range(10)], "m", 0.1)
    assert (found.spoiled, found.taken, found.enough, found.taken_then) == (0.0, 1.0, 0.0, 1.0)


def test_the_margin_is_the_smallest_that_spoils_a_twentieth() -> None:
    wins = [0.1] * 12 + [0.3] * 3 + [0.56] * 4 + [0.62]
    found = calibration_of([(Harm.shuffled, verdict(win)) for win in wins], "m", 0.0)
    assert (found.spoiled, found.enough) == (0.25, 0.06)
    assert found.taken_then == 0.75


def test_a_judge_that_always_says_the_same_recognises_nothing() -> None:
    found = calibration_of([(Harm.swapped, verdict(0.5, agreement=False))] * 5, "m", 0.1)
    assert (found.spoiled, found.taken, found.agreement) == (0.0, 0.0, 0.0)


def test_unreadable_verdicts_are_counted() -> None:
    found = calibration_of(
        [(Harm.swapped, None), (Harm.swapped, verdict(0.2)), (Harm.truncated, None)], "m", 0.1
    )
    assert (found.harms["swapped"].trials, found.harms["swapped"].unreadable) == (2, 1)
    assert found.harms["truncated"].mean_win is None
    assert "shuffled" not in found.harms


def test_a_judge_without_a_readable_verdict_has_no_margin() -> None:
    found = calibration_of([(Harm.swapped, None)], "m", 0.1)
    assert (found.spoiled, found.enough) == (None, None)


@given(st.lists(st.floats(0, 1), min_size=1), st.floats(0, 0.49))
def test_shares_follow_from_the_verdicts(wins: list[float], margin: float) -> None:
    found = calibration_of([(Harm.truncated, verdict(win)) for win in wins], "m", margin)
    assert abs(found.spoiled - sum(win > 0.5 + margin for win in wins) / len(wins)) < 1e-4
    if found.enough is not None:
        assert sum(win > 0.5 + found.enough for win in wins) <= 0.05 * len(wins) + 1e-9
