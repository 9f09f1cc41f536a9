"""Rows that compare two conversations: which one is to be learned from."""

from __future__ import annotations

from typing import Any

from staragents.data.readers.raw_row import InvalidRow, shown

SIDES = {
    "model_a": "conversation_a",
    "a": "conversation_a",
    "model_b": "conversation_b",
    "b": "conversation_b",
}
WINNER = "winner"


def winning_column(row: dict[str, Any]) -> str | None:
    """The column of the conversation that won, or None if the row has no two of them. Raises InvalidRow if
    neither won."""
    if not all(isinstance(row.get(name), list) for name in ("conversation_a", "conversation_b")):
        return None
    winner = row.get(WINNER)
    column = SIDES.get(winner.strip().lower()) if isinstance(winner, str) else None
    if column is None:
        raise InvalidRow(WINNER, "expected model_a or model_b, whose conversation is used", shown(winner))
    return column
