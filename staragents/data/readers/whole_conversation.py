"""Rows whose turns may not be the whole conversation."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from staragents.data.readers.pair_columns import ARTICLES
from staragents.data.readers.raw_row import InvalidRow, shown

BESIDE_TURNS = ("instruction", "input", "context", *ARTICLES)
"""Columns whose text belongs to a conversation, unless the turns repeat it."""


def check_is_whole(row: dict[str, Any], column: str, named: Collection[str], setting: str) -> None:
    """Raises InvalidRow if the turns of `column` lack a text that they are about, or that they obey, and that
    is in none of the columns that the user `named`."""
    beside = [name for name in BESIDE_TURNS if name in row and name not in named]
    if not beside:
        return
    said = "\n".join(_texts(row[column]))
    for name in beside:
        text = row[name]
        if isinstance(text, str) and text.strip() not in said:
            hint = (
                f": set {setting.format('messages')} to {column} to go without, or "
                f"{setting.format('system')} to {name}"
            )
            raise InvalidRow(name, f"expected a text that is part of {column}", shown(text), hint)


def _texts(turns: Any) -> Iterator[str]:
    """All texts in turns of any form."""
    if isinstance(turns, str):
        yield turns
    elif isinstance(turns, list | dict):
        for one in turns.values() if isinstance(turns, dict) else turns:
            yield from _texts(one)
