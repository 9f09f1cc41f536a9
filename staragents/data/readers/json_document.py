"""Finds the rows in a JSON file that is one object: below a field, in splits, or as columns."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from staragents.base.errors import BadInput
from staragents.data.readers.raw_row import MOST_COLUMNS_SHOWN, shown
from staragents.data.readers.splits import split_of, training_name

DEEPEST = 3
COLUMN_NAMES = ("columns", "header", "headers")
VALUES = ("data", "rows", "values")
REPLIES = "replies"
INSTANCES = "instances"
"""Of one task with an instruction; of a file without one, its rows."""
SERVER_ROW = {"row_idx", "row"}
"""Keys of a row as the hub's dataset viewer serves it."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of an object and a description of their place."""

    rows: list[Any]
    place: str


def rows_of(document: dict[str, Any], columns: Collection[str], name: str) -> Rows | None:
    """The rows below an object; None if the object itself is a row. `columns` are those of a conversation.

    Raises BadInput with a line that begins with `name` if several lists or splits could be meant.
    """
    return _below(document, columns, name, "", DEEPEST)


def looks_like_rows(value: Any) -> bool:
    """Whether a list holds rows, objects or lists of turns, and not the turns of one conversation."""
    if not isinstance(value, list) or not value:
        return False
    return _are_turns(value[0]) or (isinstance(value[0], dict) and not _is_turn(value[0]))


def _below(value: Any, columns: Collection[str], name: str, path: str, deepest: int) -> Rows | None:
    if isinstance(value, list):
        return Rows(_served(value), f"the field {path}")
    if not isinstance(value, dict) or not value or not deepest or _is_row(value, columns):
        return None
    if len(value) > 1 and all(_are_turns(one) and key.lower() not in columns for key, one in value.items()):
        return Rows(list(value.values()), f"the lists of {path}" if path else "its lists of turns")
    found = _table(value) or _of_columns(value, columns) or _of_keyed(value, columns)
    if found is not None:
        return Rows(found, f"the columns of {path}" if path else "its columns")
    return _of_splits(value, columns, name, path, deepest) or _of_lists(value, columns, name, path, deepest)


def _is_row(value: dict[str, Any], columns: Collection[str]) -> bool:
    """Whether an object is one row: a column of a conversation holds a text, turns or a tree."""
    if INSTANCES in value and not value.keys() & {"instruction", "Instruction"}:
        return False
    known = [value[column] for column in value if column.lower() in columns or column in columns]
    return any(
        isinstance(one, str)
        or (isinstance(one, list) and bool(one) and isinstance(one[0], dict) and not _holds_turns(one[0]))
        or (isinstance(one, dict) and REPLIES in one)
        for one in known
    )


def _is_turn(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    return bool({"role", "from"} & value.keys()) and bool({"content", "value"} & value.keys())


def _are_turns(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and _is_turn(value[0])


def _holds_turns(value: dict[str, Any]) -> bool:
    """Whether an object is a conversation, not a turn of one."""
    return not _is_turn(value) and any(_are_turns(one) for one in value.values())


def _served(rows: list[Any]) -> list[Any]:
    """Without the envelope of the hub's dataset viewer."""
    enveloped = bool(rows) and all(isinstance(row, dict) and row.keys() >= SERVER_ROW for row in rows)
    return [row["row"] for row in rows] if enveloped else rows


def _table(value: dict[str, Any]) -> list[Any] | None:
    """A header and lists of values, as of pandas with orient=split or a table of wandb."""
    header = next((value[key] for key in COLUMN_NAMES if key in value), None)
    rows = next((value[key] for key in VALUES if key in value), None)
    if not isinstance(header, list) or not isinstance(rows, list) or not header or not rows:
        return None
    if not all(isinstance(name, str) for name in header):
        return None
    if not all(isinstance(row, list) and len(row) == len(header) for row in rows):
        return None
    return [dict(zip(header, row, strict=True)) for row in rows]


def _of_columns(value: dict[str, Any], columns: Collection[str]) -> list[Any] | None:
    """Lists of equal length, one a column, as of Dataset.to_dict or pandas with orient=list."""
    lists = {name: one for name, one in value.items() if isinstance(one, list)}
    known = [one for name, one in lists.items() if name.lower() in columns]
    length = len(next(iter(lists.values()), ()))
    if not known or not length or (len(lists) != len(value) and len(known) == 1):
        return None
    if any(len(one) != length for one in lists.values()):
        return None
    # A single list of texts may as well be the turns of one row.
    if len(lists) == 1 and not isinstance(known[0][0], list):
        return None
    return [{name: one[index] for name, one in lists.items()} for index in range(length)]


def _of_keyed(value: dict[str, Any], columns: Collection[str]) -> list[Any] | None:
    """Objects of objects: columns by row label, as pandas writes by default, or rows by id."""
    if not all(isinstance(one, dict) and one for one in value.values()):
        return None
    inner = next(iter(value.values()))
    nested = any(isinstance(one, dict | list) for one in inner.values())
    if any(name.lower() in columns for name in inner):
        splits = nested and all(split_of(name) for name in value)
        return None if splits else list(value.values())
    labelled = len(value) > 1 and not nested and _numbered(inner) and not _numbered(value)
    if not labelled and not any(name.lower() in columns for name in value):
        return None
    labels = dict.fromkeys(label for column in value.values() for label in column)
    return [{name: column.get(label) for name, column in value.items()} for label in labels]


def _numbered(value: dict[str, Any]) -> bool:
    return all(label.isdecimal() for label in islice(value, MOST_COLUMNS_SHOWN))


def _of_splits(
    value: dict[str, Any], columns: Collection[str], name: str, path: str, deepest: int
) -> Rows | None:
    """Fields that are named after splits."""
    splits = {key: one for key, one in value.items() if isinstance(one, list | dict) and split_of(key)}
    if not splits:
        return None
    below = {key: _below(one, columns, name, _joined(path, key), deepest - 1) for key, one in splits.items()}
    below = {key: rows for key, rows in below.items() if rows is not None}
    if not below:
        return None
    chosen = training_name(below)
    others = [
        key
        for key, one in _places(value)
        if key not in splits
        and (rows := _below(one, columns, name, _joined(path, key), deepest - 1))
        and rows.rows
        and _fits(rows.rows[0], columns)
    ]
    if chosen is None or others:
        what = "list of rows" if others else "split"
        raise undecided(name, what, [_joined(path, key) for key in (*below, *others)])
    left = [key for key in below if key != chosen]
    found = below[chosen]
    assert found is not None
    return Rows(found.rows, f"{found.place}{f', not {_and(left)}' if left else ''}")


def _of_lists(
    value: dict[str, Any], columns: Collection[str], name: str, path: str, deepest: int
) -> Rows | None:
    """The one field with rows; of several, the one with columns of a conversation."""
    below = {key: _below(one, columns, name, _joined(path, key), deepest - 1) for key, one in _places(value)}
    found = {key: rows for key, rows in below.items() if rows is not None and rows.rows}
    if len(found) > 1:
        fitting = {key: rows for key, rows in found.items() if _fits(rows.rows[0], columns)}
        if len(fitting) != 1:
            raise undecided(name, "list of rows", [_joined(path, key) for key in fitting or found])
        (chosen,) = fitting
        left = _and([key for key in found if key != chosen])
        return Rows(fitting[chosen].rows, f"{fitting[chosen].place}, not {left}")
    return next(iter(found.values()), None)


def _places(value: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, one in value.items():
        if looks_like_rows(one) or isinstance(one, dict):
            yield key, one


def _fits(row: Any, columns: Collection[str]) -> bool:
    return isinstance(row, dict) and any(name.lower() in columns for name in row)


def undecided(name: str, what: str, paths: list[str]) -> BadInput:
    given = ", ".join(shown(path).strip("'") for path in paths[:MOST_COLUMNS_SHOWN])
    return BadInput(
        f"{name}: expected one {what}, got {given}; write one of them to its own file, as jq .{paths[0]} does"
    )


def _joined(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _and(names: list[str]) -> str:
    return ", ".join(shown(name).strip("'") for name in names[:MOST_COLUMNS_SHOWN])
