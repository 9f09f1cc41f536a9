"""What `doctor --judge` prints."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from cluster.cli.doctor import doctor
from cluster.cli.judge_table import lines_of, table_of
from staragents.agents.judge_trials import Harm
from staragents.agents.verdict import Verdict
from staragents.analysis.judge_calibration import JudgeCalibration, calibration_of
from staragents.base.errors import BadInput


def calibration(*wins: float | None) -> JudgeCalibration:
    verdicts = [None if win is None else Verdict(win, True, win, win, "") for win in wins]
    return calibration_of([(Harm.truncated, verdict) for verdict in verdicts], "m", 0.1)


def test_the_table_has_a_row_for_each_harm_that_was_tried() -> None:
    console = Console(file=StringIO(), width=100)
    console.print(table_of(calibration(0.7, None)))
    shown = console.file.getvalue().splitlines()
    assert len(shown) == 2
    assert shown[1].split() == ["second", "half", "missing", "2", "1", "0", "0.70", "100%"]


@pytest.mark.parametrize(
    ("wins", "expected"),
    [
        ([0.1] * 20, "reward.margin=0 is enough to keep it at 5%; a better candidate would replace 100%"),
        ([0.5] * 20, "a better candidate would replace only 0% of the seeds: use a stronger judge"),
        (
            [1.0] * 20,
            "no margin keeps the share of seeds replaced by a worse candidate at 5%: use a stronger judge",
        ),
        ([None], "it gave no readable verdict: a run with it keeps every seed"),
    ],
)
def test_the_advice_follows_from_the_verdicts(wins: list[float | None], expected: str) -> None:
    assert expected in lines_of(calibration(*wins))[-1]


def test_failed_requests_are_told_apart_from_unreadable_verdicts() -> None:
    verdict = Verdict(0.1, True, 0.1, 0.1, "")
    verdicts = [(Harm.truncated, verdict)] * 3 + [(Harm.truncated, None)]
    found = calibration_of(verdicts, "m", 0.1, [Harm.truncated, Harm.swapped], "m: no answer")
    console = Console(file=StringIO(), width=100)
    console.print(table_of(found))
    _, truncated, swapped = console.file.getvalue().splitlines()
    assert truncated.split()[3:] == ["5", "1", "1", "0.10", "0%"]
    assert swapped.split()[3:] == ["1", "0", "1", "-", "-"]
    assert lines_of(found)[1] == (
        "requests failed in 2 comparisons, which do not count; the first: m: no answer"
    )


def test_a_judge_needs_a_config() -> None:
    with pytest.raises(BadInput, match="--judge: expected a CONFIG whose judge is measured, got none"):
        doctor.main(["--judge", "3"], standalone_mode=False)
