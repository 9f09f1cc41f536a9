"""Finds the column of a row that holds its turns."""

from __future__ import annotations

from typing import Any

from staragents.config import ColumnsConfig, RowFormat
from staragents.data.readers.cell_values import parsed_list, parsed_objects
from staragents.data.readers.message_tree import REPLIES
from staragents.data.readers.pair_columns import present
from staragents.data.readers.pair_names import INSTRUCTIONS, PROMPTS, RESPONSES
from staragents.data.readers.preferences import winning_column
from staragents.data.readers.raw_row import InvalidRow, shown_columns
from staragents.data.readers.row_conversation import INSTANCES
from staragents.data.readers.transcripts import turns_of_text
from staragents.data.readers.turn_parts import messages_in, role_of

TURNS = (
    "messages",
    "conversations",
    "conversation",
    "dialogue",
    "dialog",
    "turns",
    "trajectory",
    "interactions",
    "contents",
    "chosen_conversations",
    "chosen_messages",
)
TURN_FORMATS = (RowFormat.messages, RowFormat.sharegpt)
QUESTIONS_ALONE = "turns"
"""May hold the questions of a benchmark: texts in it alternate only if the user says so."""
WHOLE_TEXT = "text"
_OTHERS = (*INSTRUCTIONS, *PROMPTS, *RESPONSES, *TURNS, INSTANCES, REPLIES)


class TurnsColumn:
    """The choice depends on the values of a row, as merged datasets have the columns of several formats."""

    def __init__(self, named: ColumnsConfig, format: RowFormat, setting: str) -> None:
        """`setting` is the setting for a column name."""
        self._named = named
        self._format = format
        self._setting = setting
        self._list_columns = frozenset(filter(None, (*TURNS, INSTANCES, named.messages)))

    def with_lists(self, value: dict[str, Any]) -> dict[str, Any]:
        """The row with lists where a cell holds them as text, or as columns of roles and texts."""
        lists: dict[str, list[Any]] = {}
        for name in self._list_columns.intersection(value):
            cell = value[name]
            if isinstance(cell, str):
                found = parsed_list(cell) or turns_of_text(cell)
            elif isinstance(cell, list):
                found = parsed_objects(cell)
            elif isinstance(cell, dict):
                found = _rows_of_columns(cell) or (messages_in(cell) if role_of(cell) is None else None)
            else:
                found = None
            if found is not None:
                lists[name] = found
        return {**value, **lists} if lists else value

    def of(self, value: dict[str, Any]) -> str | None:
        """The column with a list of turns, or None."""
        name = self._named.messages
        if name is not None:
            return present("messages", value, name, self._setting)
        if self._named.instruction or self._named.response:
            return None
        if self._format in TURN_FORMATS:
            name = next((name for name in TURNS if value.get(name)), None)
            name = name or next((name for name in TURNS if value.get(name) is not None), None)
            name = name or winning_column(value)
            if name is None:
                raise InvalidRow("messages", f"expected {' or '.join(TURNS[:2])}", shown_columns(value))
            return name
        if self._format is not RowFormat.auto:
            return None
        # `turns` and similar columns may contain other data: only a list counts, or a text that begins so.
        for name in TURNS:
            cell = value.get(name)
            if (isinstance(cell, list) and cell) or (
                isinstance(cell, str) and cell.lstrip().startswith("[{")
            ):
                return name
        if (name := winning_column(value)) is not None:
            return name
        # Merged datasets have the columns of both, with one empty.
        others = any(value.get(name) for name in (*INSTRUCTIONS, *PROMPTS, "chosen"))
        empty = next((name for name in TURNS if value.get(name) == []), None)
        if value.get("messages") or (not others and empty is None and value.get("messages") is not None):
            return "messages"
        return None if others else empty


def whole_text(value: dict[str, Any]) -> list[Any] | None:
    """The turns of a row whose only text is a whole conversation, else None."""
    text = value.get(WHOLE_TEXT)
    if not isinstance(text, str) or any(value.get(name) for name in _OTHERS):
        return None
    return turns_of_text(text)


def _rows_of_columns(cell: dict[str, Any]) -> list[dict[str, Any]] | None:
    """A list of turns that is stored as a list of roles and one of texts, else None."""
    if len(cell) < 2 or not all(isinstance(v, list) for v in cell.values()):
        return None
    lengths = {len(column) for column in cell.values()}
    return (
        [dict(zip(cell, turn, strict=True)) for turn in zip(*cell.values(), strict=True)]
        if (len(lengths) == 1)
        else None
    )
