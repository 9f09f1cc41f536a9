"""Reasons to doubt the table of an evaluation."""

from __future__ import annotations

import numpy as np
import pytest

from staragents.evaluation.arm_row import ArmRow
from staragents.evaluation.caveats import warnings_for
from staragents.evaluation.grid import Grid
from tests.support.student_worlds import arms_named


def row(name: str, answer_tokens: float, trained: float = 12_000.0) -> ArmRow:
    return ArmRow(name, 100, 0, answer_tokens, trained, 10.0, 1.0, 1.0, None)


def warnings(*rows: ArmRow) -> list[str]:
    names = tuple(one.name for one in rows)
    units = tuple(str(number) for number in range(50))
    grid = Grid(names, (0, 1, 2, 3), units, np.zeros((len(names), 4, 50)), 0)
    return warnings_for(rows, grid, {}, None, ["random"], arms_named(names), None)


@pytest.mark.parametrize(
    ("dataset", "random", "expected"),
    [
        (40.0, 60.0, "the answers of dataset are read 3.0 times, those of random 2.0 times"),
        (60.0, 40.0, "the answers of random are read 3.0 times, those of dataset 2.0 times"),
        (58.0, 60.0, None),
        # Within one pass, an arm of short answers only reads more rows.
        (120.0, 300.0, None),
    ],
)
def test_answers_that_are_read_more_often_than_others_are_named(
    dataset: float, random: float, expected: str | None
) -> None:
    found = warnings(row("dataset", dataset), row("random", random))
    if expected is None:
        assert found == []
    else:
        (line,) = found
        assert line.startswith(expected)
