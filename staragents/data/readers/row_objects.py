"""Rows that are not objects, but stand for one."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from staragents.data.readers.cell_values import parsed_objects
from staragents.data.readers.conversation_columns import ConversationColumns
from staragents.data.readers.turn_parts import role_of


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


def inner_row(value: dict[str, Any], known: ConversationColumns) -> dict[str, Any]:
    """The row within another one that has no known column itself, such as `{"id": 1, "data": {...}}`; else
    `value`."""
    # First by exact names, which is fast.
    if not known.isdisjoint(value) or any(name in known for name in value):
        return value
    inner = [cell for cell in value.values() if isinstance(cell, dict) and _is_exchange(cell, known)]
    return inner[0] if len(inner) == 1 else value


def _is_exchange(cell: dict[str, Any], known: Collection[str]) -> bool:
    """Whether an object has at least two known columns, or the turns of a conversation."""
    found = [name for name in cell if name in known]
    turns = (one for name in found if isinstance(one := cell[name], list))
    return len(found) > 1 or any(one and all(role_of(turn) is not None for turn in one) for one in turns)
