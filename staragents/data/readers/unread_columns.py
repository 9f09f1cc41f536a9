"""Columns of text that no conversation uses: one of them may belong to the instruction."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa

from staragents.data.readers.choices import CHOICE_LETTERS
from staragents.data.readers.column_names import ColumnNames
from staragents.data.readers.raw_row import BadRow, RawRow, shown
from staragents.data.readers.table_values import table_values
from staragents.data.readers.turn_parts import role_of
from staragents.data.readers.turns_column import TURNS

ROWS_SEEN = 100
NAMES_SHOWN = 5
SHORTEST = 8
_TURNS = ColumnNames(TURNS)
_LETTERS = frozenset("".join(CHOICE_LETTERS))


def unread_columns(
    rows: Sequence[RawRow | BadRow], table: pa.Table | None, columns: Collection[str]
) -> tuple[str, ...]:
    """The names of columns of text that are not among `columns`, in the first rows of a file. `table` has the
    same rows with all columns.

    Ids, categories and the like, which have no space or are the same in many rows, are no text, nor is JSON.
    Rows with turns have all that was said in them.
    """
    found: dict[str, list[str]] = {}
    for row in _rows(rows, table, columns):
        # A row without a known column is no conversation.
        if not any(name in columns for name in row) or any(map(_are_turns, row.items())):
            continue
        for name, cell in row.items():
            if _is_unread(name, cell, columns):
                found.setdefault(name, []).append(cell)
    return tuple(name for name, texts in found.items() if 2 * len(set(texts)) >= len(texts))


def note_of(names: Iterable[str], setting: str) -> str:
    """`setting` is that for the column of the input."""
    every = [shown(name).strip("'") for name in names]
    more = f" and {len(every) - NAMES_SHOWN} more" if len(every) > NAMES_SHOWN else ""
    names_it = f"{setting} names one that belongs to the instruction"
    return f"not read: {', '.join(every[:NAMES_SHOWN])}{more} ({names_it})"


def _rows(
    rows: Sequence[RawRow | BadRow], table: pa.Table | None, columns: Collection[str]
) -> Iterator[dict[str, Any]]:
    if table is None:
        yield from (
            raw.value for raw in rows[:ROWS_SEEN] if isinstance(raw, RawRow) and isinstance(raw.value, dict)
        )
        return
    if any(field.name in _TURNS and not pa.types.is_integer(field.type) for field in table.schema):
        return
    texts = [field.name for field in table.schema if _is_text(field.type) or field.name in columns]
    known = next((name for name in texts if name in columns), None)
    others = [name for name in texts if name not in columns]
    for row in table_values(table.select(others).slice(0, ROWS_SEEN)) if known is not None else ():
        yield {str(known): None, **row}


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def _is_unread(name: Any, cell: Any, columns: Collection[str]) -> bool:
    if not isinstance(cell, str) or not isinstance(name, str) or name in columns or name in _LETTERS:
        return False
    # Some languages write no spaces.
    text = cell.strip()
    return text[:1] not in ("{", "[") and (" " in text or (len(cell) >= SHORTEST and not cell.isascii()))


def _are_turns(column: tuple[Any, Any]) -> bool:
    name, cell = column
    if isinstance(cell, list) and cell and role_of(cell[0]) is not None:
        return True
    return name in _TURNS and bool(cell) and isinstance(cell, list | str)
