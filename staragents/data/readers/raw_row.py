"""A row as read from a file, valid or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class RawRow:
    """A decoded, unvalidated row. `row` counts from 1; in JSONL and CSV it is the line number."""

    row: int
    value: Any


@dataclass(frozen=True, slots=True)
class BadRow:
    """An invalid row. `field` is a column, a path such as `messages[2].content`, or `row` for the whole
    row."""

    row: int
    field: str
    message: str
