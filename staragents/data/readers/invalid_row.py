"""The error for a row that is not a valid conversation."""

from __future__ import annotations

from typing import Any

LONGEST_SHOWN = 40
MOST_COLUMNS_SHOWN = 10


class InvalidRow(Exception):
    """The row is not a valid conversation, because of `field`."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


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
