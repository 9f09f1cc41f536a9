"""A row as read from a file, valid or not, and what is wrong with it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from staragents.text.storable import storable

LONGEST_SHOWN = 40
MOST_COLUMNS_SHOWN = 10


@dataclass(frozen=True, slots=True)
class RawRow:
    """A decoded, unvalidated row. `row` counts from 1; in JSONL and CSV it is the line number."""

    row: int
    value: Any


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a row is invalid.

    `field` is a column, a path such as `messages[2].content`, or `row` for the whole row. `reason`, such as
    `expected text`, is the same in all rows with the same problem; `got` is this row's value, and `hint` ends
    the message.
    """

    field: str
    reason: str
    got: str | None = None
    hint: str = ""

    @property
    def message(self) -> str:
        got = "" if self.got is None else f", got {self.got}"
        return f"{self.reason}{got}{self.hint}"

    @property
    def kind(self) -> str:
        """Equal for the same problem in different rows or list items."""
        field = re.sub(r"\[\d+\]", "[]", self.field)
        return f"{field}: {self.reason}"


@dataclass(frozen=True, slots=True)
class BadRow:
    """An invalid row. `row` counts like that of RawRow."""

    row: int
    problem: Problem

    def located(self, file: str) -> str:
        """The problem as file:row:field: message, which any file takes, whatever the name of the file."""
        return f"{storable(file)}:{self.row}:{self.problem.field}: {self.problem.message}"


class InvalidRow(Exception):
    """A row is not a valid conversation."""

    def __init__(self, field: str, reason: str, got: str | None = None, hint: str = "") -> None:
        self.problem = Problem(field, reason, got, hint)
        super().__init__(f"{field}: {self.problem.message}")


def shown(value: Any) -> str:
    """A value in an error message: short, on one line, printable anywhere."""
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, int) and value.bit_length() > 128:
        return "a huge number"  # may have more digits than Python allows to print
    # ascii, as a name may contain characters that a terminal or file can't represent.
    text = "null" if value is None else ascii(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."


def shown_columns(value: dict[str, Any]) -> str:
    """A row's column names in an error message."""
    names = ", ".join(shown(name) for name in list(value)[:MOST_COLUMNS_SHOWN])
    return f"{names}{', ...' if len(value) > MOST_COLUMNS_SHOWN else ''}" if value else "no column"
