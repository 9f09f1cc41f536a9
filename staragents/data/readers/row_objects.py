"""Rows that are not objects, but stand for one."""

from __future__ import annotations

from typing import Any

from staragents.data.readers.cell_values import parsed_objects
from staragents.data.readers.turns import role_of


def row_object(value: Any) -> dict[str, Any] | None:
    """The object that a row is: itself, the one that it spells as JSON, or one with the row as its `messages`
    if it is a list of turns. None for anything else."""
    if isinstance(value, dict):
        return value
    if isinstance(value, list) and value and all(role_of(turn) is not None for turn in value):
        return {"messages": value}
    if isinstance(value, str) and (whole := parsed_objects([value])):
        return dict(whole[0])
    return None
