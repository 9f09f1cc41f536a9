"""Rows whose turns may not be the whole conversation."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from staragents.data.readers.pair_columns import ARTICLES
from staragents.data.readers.raw_row import InvalidRow, shown
from staragents.data.readers.turn_parts import ROLE_KEYS, role_of

BESIDE_TURNS = ("instruction", "input", "context", *ARTICLES)
"""Columns whose text belongs to a conversation, unless the turns repeat it."""
_BESIDE_TURNS = frozenset(BESIDE_TURNS)
NO_PARENT = ("none", "null", "nan", "-1", "0", "0.0")
_NO_TEXTS = (*ROLE_KEYS, "type")


def check_is_whole(row: dict[str, Any], column: str, named: Collection[str], setting: str) -> None:
    """Raises InvalidRow if the turns of `column` lack a text that they are about, or that they obey, and that
    is in none of the columns that the user `named`."""
    if _BESIDE_TURNS.isdisjoint(row):
        return
    beside = [name for name in BESIDE_TURNS if name in row and name not in named]
    said = "\n".join(_texts(row[column]))
    for name in beside:
        text = row[name]
        if isinstance(text, str) and text.strip() not in said:
            hint = (
                f": set {setting.format('messages')} to {column} to go without, or "
                f"{setting.format('system')} to {name}"
            )
            raise InvalidRow(name, f"expected a text that is part of {column}", shown(text), hint)


def check_is_chosen(row: dict[str, Any], column: str, chosen: Any, setting: str) -> None:
    """Raises InvalidRow if the turns of `column` end with another answer than `chosen`, the preferred one."""
    turns = row[column]
    if not chosen or isinstance(chosen, bool) or not turns or role_of(turns[-1]) == "user":
        return
    said = "\n".join(_texts(turns[-1]))
    answers = list(_texts(chosen[-1] if isinstance(chosen, list) else chosen))
    if answers and answers[-1].strip() not in said:
        hint = f": set {setting.format('messages')} to one"
        raise InvalidRow("chosen", f"{column}, chosen could each be the conversation", hint=hint)


def check_continues_none(parent: Any, column: str, setting: str) -> None:
    """Raises InvalidRow if an exchange is a later one of a conversation whose earlier ones are other rows."""
    if str(parent).strip().lower() in NO_PARENT:
        return
    hint = f": set {setting.format('instruction')} and {setting.format('response')} to go without the others"
    raise InvalidRow(column, "expected a whole conversation", "an exchange that continues another row", hint)


def _texts(turns: Any) -> Iterator[str]:
    """All texts in turns of any form, without the names of roles."""
    if isinstance(turns, str):
        yield turns
    elif isinstance(turns, list | dict):
        inner = turns if isinstance(turns, list) else (turns[key] for key in turns if key not in _NO_TEXTS)
        for one in inner:
            yield from _texts(one)
