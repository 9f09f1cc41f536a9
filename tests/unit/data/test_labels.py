"""Labels of answers that are not ones to learn from, by name and as the user names them."""

from __future__ import annotations

from typing import Any

import pytest

from staragents.data.readers.raw_row import InvalidRow
from tests.support.read_row import read_row

Q, A = "Name a colour.", "Blue."
SAID = (("user", Q), ("assistant", A))


@pytest.mark.parametrize("label", [0, "0", 0.0, -1, False, "false", "rejected"])
def test_a_named_label_may_be_a_number(label: Any) -> None:
    row = {"prompt": Q, "completion": A}
    with pytest.raises(InvalidRow, match="good: expected a wanted answer"):
        read_row({**row, "good": label}, label="good")
    assert read_row({**row, "good": 1}, label="good") == SAID


@pytest.mark.parametrize(
    ("name", "value"), [("desirable", 0), ("preferred", "0"), ("correct", "no"), ("failed", 1), ("good", 0)]
)
def test_a_value_that_may_mean_an_unwanted_answer_is_a_bad_row(name: str, value: Any) -> None:
    row = {"prompt": Q, "completion": A, name: value}
    with pytest.raises(
        InvalidRow, match=f"{name}: expected a label of true or false.*: set seeds.columns.label"
    ):
        read_row(row)
    assert read_row(row, label="") == SAID


def test_a_named_label_must_be_one() -> None:
    with pytest.raises(InvalidRow, match="good: expected a label of true or false, got 'maybe'"):
        read_row({"prompt": Q, "completion": A, "good": "maybe"}, label="good")
    with pytest.raises(InvalidRow, match=r"god: expected the column that seeds.columns.label names.*'good'"):
        read_row({"prompt": Q, "completion": A, "good": 1}, label="god")


def test_an_empty_name_takes_rows_whatever_their_label() -> None:
    assert read_row({"prompt": Q, "completion": A, "label": False}, label="") == SAID
