"""A JSON file that is one object: where its rows are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from staragents.base.errors import BadInput
from staragents.data.readers.data_files import DataFiles
from staragents.data.readers.raw_row import BadRow, RawRow
from staragents.data.readers.row_messages import KNOWN_COLUMNS

ROWS = [{"instruction": f"Say {n}.", "output": f"It is {n}."} for n in range(5)]
OTHERS = [{"instruction": f"Ask {n}.", "output": f"It was {n}."} for n in range(2)]
MANY = [{"instruction": f"Say {n}.", "output": "Yes."} for n in range(200)]
TURNS = [{"role": "user", "content": "Say 1."}, {"role": "assistant", "content": "One."}]
SHAREGPT = [{"from": "human", "value": "Say 1."}, {"from": "gpt", "value": "One."}]


def by_label(rows: list[dict[str, str]]) -> dict[str, Any]:
    return {name: {str(n): row[name] for n, row in enumerate(rows)} for name in rows[0]}


def by_column(rows: list[dict[str, str]]) -> dict[str, Any]:
    return {name: [row[name] for row in rows] for name in rows[0]}


def read(path: Path, value: Any, indent: int | None = None) -> tuple[list[Any], list[str]]:
    path.write_text(value if isinstance(value, str) else json.dumps(value, indent=indent), encoding="utf-8")
    files = DataFiles(path, KNOWN_COLUMNS)
    rows = [row for block in files.blocks() for row in block.rows]
    assert all(isinstance(row, RawRow) for row in rows)
    return [row.value for row in rows if isinstance(row, RawRow)], files.notes.lines()


BELOW = {
    "a field": ({"version": "1.0", "data": ROWS}, "the field data"),
    "a field before others": ({"rows": ROWS, "count": 5, "info": {"by": "me", "tags": []}}, "the field rows"),
    "two levels down": ({"dataset": {"version": 1, "examples": ROWS}}, "the field dataset.examples"),
    "the list whose rows have known columns": (
        {"features": [{"name": "x"}], "items": ROWS},
        "the field items, not features",
    ),
    "the dataset viewer of the hub": (
        {
            "features": [{"feature_idx": 0, "name": "instruction"}],
            "rows": [{"row_idx": n, "row": row, "truncated_cells": []} for n, row in enumerate(ROWS)],
            "num_rows_total": 5,
        },
        "the field rows, not features",
    ),
    "splits": ({"test": OTHERS, "train": ROWS}, "the field train, not test"),
    "one split": ({"test": ROWS}, "the field test"),
    "a training split of another name": (
        {"train_sft": ROWS, "test_sft": OTHERS},
        "the field train_sft, not test_sft",
    ),
    "splits of columns": (
        {"train": by_column(ROWS), "validation": by_column(OTHERS)},
        "the columns of train, not validation",
    ),
    "splits of labelled columns": (
        {"train": by_label(ROWS), "test": by_label(OTHERS)},
        "the columns of train, not test",
    ),
    "pandas, columns": (by_label(ROWS), "its columns"),
    "pandas, index": ({str(n): row for n, row in enumerate(ROWS)}, "its columns"),
    "pandas, split": (
        {"columns": list(ROWS[0]), "index": list(range(5)), "data": [list(row.values()) for row in ROWS]},
        "its columns",
    ),
    "pandas, table": (
        {"schema": {"fields": [{"name": "instruction"}]}, "data": ROWS},
        "the field data, not schema",
    ),
    "rows by id": ({f"task-{n}": row for n, row in enumerate(ROWS)}, "its columns"),
    "rows by id below a field": (
        {"data": {str(n): row for n, row in enumerate(ROWS)}},
        "the columns of data",
    ),
    "lists": (by_column(ROWS), "its columns"),
    "lists beside a fact": ({"version": "1", **by_column(ROWS)}, "its columns"),
}


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("name", BELOW)
def test_rows_below_an_object_are_found_and_their_place_is_said(
    tmp_path: Path, name: str, indent: int | None
) -> None:
    value, place = BELOW[name]
    path = tmp_path / "rows.json"
    assert read(path, value, indent) == (ROWS, [f"{path}: rows are read from {place}"])


@pytest.mark.parametrize(
    ("value", "rows", "place"),
    [
        (
            {"conversations": [{"id": 1, "messages": TURNS}, {"id": 2, "messages": TURNS}]},
            [{"id": 1, "messages": TURNS}, {"id": 2, "messages": TURNS}],
            "the field conversations",
        ),
        ({"data": [TURNS, SHAREGPT], "by": "me"}, [TURNS, SHAREGPT], "the field data"),
        ({"c1": TURNS, "c2": SHAREGPT}, [TURNS, SHAREGPT], "its lists of turns"),
        (
            {"type": "text2text", "instances": [{"input": "Say 1.", "output": "One."}]},
            [{"input": "Say 1.", "output": "One."}],
            "the field instances",
        ),
    ],
    ids=["conversations", "lists of turns", "lists of turns by id", "instances"],
)
def test_conversations_below_an_object_are_rows(
    tmp_path: Path, value: Any, rows: list[Any], place: str
) -> None:
    path = tmp_path / "rows.json"
    assert read(path, value) == (rows, [f"{path}: rows are read from {place}"])


def test_one_list_of_conversations_is_a_column(tmp_path: Path) -> None:
    found, _ = read(tmp_path / "rows.json", {"messages": [TURNS, TURNS]})
    assert found == [{"messages": TURNS}] * 2


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize(
    "row",
    [
        ROWS[0],
        {"messages": TURNS},
        {"conversations": SHAREGPT, "chosen": SHAREGPT[1], "rejected": SHAREGPT[1]},
        {"prompt": TURNS[:1], "completion": TURNS[1:]},
        {"messages": ["Say 1.", "One."]},
        {"instruction": "Add.", "instances": [{"input": "1 1", "output": "2"}]},
        {"prompt": {"text": "Hi", "replies": [{"text": "Hello", "replies": []}]}},
        {"id": 7, "note": {"by": "me"}},
        {},
    ],
    ids=lambda row: ",".join(row),
)
def test_one_object_that_is_a_row_stays_one(tmp_path: Path, row: Any, indent: int | None) -> None:
    assert read(tmp_path / "rows.json", row, indent) == ([row], [])


def test_objects_on_several_lines_each_are_rows(tmp_path: Path) -> None:
    text = "\n".join(json.dumps(row, indent=2) for row in ROWS)
    assert read(tmp_path / "rows.jsonl", text) == (ROWS, [])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"a": OTHERS, "b": ROWS}, "expected one list of rows, got a, b; write one of them"),
        ({"train_sft": ROWS, "train_prefs": OTHERS}, "expected one split, got train_sft, train_prefs"),
        ({"validation": ROWS, "test": OTHERS}, "expected one split, got validation, test"),
        ({"train_data": ROWS, "more": OTHERS}, "expected one list of rows, got train_data, more"),
    ],
)
def test_an_open_choice_is_one_line(tmp_path: Path, value: Any, expected: str) -> None:
    with pytest.raises(BadInput) as caught:
        read(tmp_path / "rows.json", value)
    (line,) = caught.value.problems
    assert line.startswith(f"{tmp_path / 'rows.json'}: {expected}")


def test_a_damaged_object_is_one_line_with_its_place(tmp_path: Path) -> None:
    text = json.dumps({"data": ROWS}, indent=1).replace('"It is 3."', "oops")
    with pytest.raises(BadInput, match=r"rows\.json:17: not JSON: Expecting value at column 14"):
        read(tmp_path / "rows.json", text)


@pytest.mark.parametrize("first", ['{"instruction": "cut', '{"instruction": "a",', "oops", '{"a": 1}}'])
def test_a_damaged_first_line_of_jsonl_is_one_bad_row(tmp_path: Path, first: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join([first, *map(json.dumps, ROWS)]))
    rows = [row for block in DataFiles(path, KNOWN_COLUMNS).blocks() for row in block.rows]
    assert isinstance(rows[0], BadRow)
    assert rows[0].row == 1
    assert [row.value for row in rows[1:] if isinstance(row, RawRow)] == ROWS


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"version": "1.0", "tags": ["a"], "data": ROWS * 40}, "data"),
        ({"test": OTHERS, "train": ROWS * 40, "validation": OTHERS}, "train"),
    ],
)
def test_a_large_object_is_streamed(tmp_path: Path, value: Any, place: str, indent: int | None) -> None:
    path = tmp_path / "rows.json"
    with (
        patch("staragents.data.readers.json_rows.MAX_ROW_BYTES", 2000),
        patch("staragents.data.readers.json_rows.BLOCK_BYTES", 100),
        patch("staragents.data.readers.json_array.BLOCK_BYTES", 100),
    ):
        found, notes = read(path, value, indent)
    assert found == ROWS * 40
    assert notes == [f"{path}: rows are read from the field {place}"]


def test_a_large_object_with_two_lists_is_one_line(tmp_path: Path) -> None:
    with (
        patch("staragents.data.readers.json_rows.MAX_ROW_BYTES", 500),
        pytest.raises(BadInput, match=r"rows\.json: expected one list of rows, got a, b"),
    ):
        read(tmp_path / "rows.json", {"a": ROWS * 40, "b": ROWS})


def test_a_large_object_in_another_form_is_one_line(tmp_path: Path) -> None:
    with (
        patch("staragents.data.readers.json_rows.MAX_ROW_BYTES", 500),
        pytest.raises(
            BadInput, match=r"rows\.json: expected at most 0 MiB in an object without a list of rows"
        ),
    ):
        read(tmp_path / "rows.json", by_label(MANY), indent=1)


def test_many_objects_on_several_lines_each_are_streamed(tmp_path: Path) -> None:
    text = "\n".join(json.dumps(row, indent=2) for row in ROWS * 40)
    with patch("staragents.data.readers.json_rows.MAX_ROW_BYTES", 500):
        assert read(tmp_path / "rows.jsonl", text) == (ROWS * 40, [])
