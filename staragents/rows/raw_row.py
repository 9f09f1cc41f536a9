"""A row as it stands in a file, or what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class RawRow:
    """A decoded row, not looked at yet. `row` counts from 1; it is the line in JSONL and CSV."""

    row: int
    value: Any


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that can't be used. `field` is a column, `messages[2].content`, or `row` for all of it."""

    row: int
    field: str
    message: str
