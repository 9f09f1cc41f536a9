"""Rows whose turns may not be the whole conversation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from staragents.config import ColumnsConfig
from staragents.data.readers.cell_values import parsed_list
from staragents.data.readers.column_names import plain
from staragents.data.readers.pair_names import (
    ARTICLES,
    HISTORIES,
    NO_INPUT,
    NOTHING,
    SYSTEMS,
    says_nothing,
)
from staragents.data.readers.raw_row import InvalidRow, shown
from staragents.data.readers.thinking import spoken
from staragents.data.readers.transcripts import turns_of_text
from staragents.data.readers.turn_parts import ANSWERED, ASKED, CONTENTS, ROLE_KEYS, role_of

BESIDE_TURNS = ("instruction", "input", "context", *ARTICLES)
"""Columns whose text belongs to a conversation, unless the turns repeat it."""
_BESIDE_TURNS = frozenset((*BESIDE_TURNS, *HISTORIES))
FINISHED = ("response", "output", "completion")
"""Columns that would answer the turns of another one, had these no answer."""
NO_PARENT = (*NOTHING, "-1", "0", "0.0", "root")
_NO_TEXT = (*NOTHING, *NO_INPUT)
_NO_TEXTS = (*ROLE_KEYS, "type")


def check_is_whole(row: dict[str, Any], column: str, turns: Any, named: ColumnsConfig, setting: str) -> None:
    """Raises InvalidRow if the `turns` of `column` lack a text that they are about, or that they obey. It may
    be in a column that the user `named`, but not as what precedes the turns or belongs to their question."""
    if _BESIDE_TURNS.isdisjoint(row) and not (named.input or named.history):
        return
    mine = [name for name in (named.input, named.history) if name and name in row]
    others = (named.system, named.reasoning, named.label, named.conversation)
    beside = [name for name in BESIDE_TURNS if name in row and name not in others]
    if named.history is None:
        mine += [name for name in HISTORIES if name in row and name not in others]
    said = "\n".join(_texts([turns, [row[name] for name in SYSTEMS if name in row]]))
    for name in dict.fromkeys((*mine, *beside)):
        cell = row[name]
        if name in HISTORIES or name == named.history:
            before = earlier_turns(cell)
            before = before if isinstance(before, list) else [before]
            texts = [text for turn in before for text in _contents(turn)]
        else:
            texts = list(_texts(cell)) if name in mine or not isinstance(cell, dict) else []
        if any(text.strip() not in said and text.strip().lower() not in _NO_TEXT for text in texts):
            hint = f": set {setting.format('messages')} to {column} to leave {name} out"
            if name in beside or name == named.input:
                hint += f", or {setting.format('system')} to {name}"
            raise InvalidRow(name, f"expected a text that is part of {column}", shown(row[name]), hint)


def earlier_turns(cell: Any) -> Any:
    """The turns before a row's own: a list, or the list or transcript that a text spells, empty for a cell
    that says nothing. Any other cell as it is."""
    if cell is None or cell != cell or (isinstance(cell, str) and says_nothing(cell)):
        return []
    return parsed_list(cell) or turns_of_text(cell) or cell if isinstance(cell, str) else cell


def are_repeated(before: list[Any], turns: list[Any]) -> bool:
    """Whether turns repeat the last text of those before."""
    if before == turns[: len(before)]:
        return True  # nearly always, and fast
    asked = [text for turn in before if (text := _words(turn))]
    return not asked or any(asked[-1] in _words(turn) for turn in turns)


def answer_in(before: list[Any], answered: Any, cell: Any) -> Any:
    """The turns of an answer, or its text where that is not the conversation so far, but about another."""
    if isinstance(answered, list) and isinstance(cell, str) and role_of(answered[0]) in ("user", "system"):
        return answered if are_repeated(before, answered) else cell
    return answered


def _words(turn: Any) -> str:
    return " ".join("\n".join(_contents(turn)).split())


def check_is_chosen(row: dict[str, Any], column: str, chosen: Any, setting: str) -> None:
    """Raises InvalidRow if the turns of `column` end with another answer than `chosen`, the preferred one."""
    turns = row[column]
    if not chosen or isinstance(chosen, bool) or not _are_answered(turns):
        return
    said = "\n".join(_texts(turns[-1]))
    last = chosen[-1] if isinstance(chosen, list) else chosen
    answers = [spoken(last).content] if isinstance(last, str) else list(_contents(last))
    if answers and answers[-1].strip() not in said:
        hint = f": set {setting.format('messages')} to one of them"
        raise InvalidRow("chosen", f"{column}, chosen could each be the conversation", hint=hint)


def check_is_answer(row: dict[str, Any], column: str, name: str, answer: Any, setting: str) -> None:
    """Raises InvalidRow if the turns of `column` end with another answer than that of the column `name`."""
    turns = row[column]
    if not _are_answered(turns):
        return
    if isinstance(answer, list):
        answer = answer[-1] if answer and role_of(answer[-1]) is not None else None
    said = "\n".join(_texts(turns[-1]))
    texts = [spoken(answer).content] if isinstance(answer, str) else _contents(answer)
    if any(text.strip() not in said for text in texts):
        hint = f": set {setting.format('messages')} to {column} to leave {name} out"
        raise InvalidRow(name, f"expected a text that is part of {column}", shown(row[name]), hint)


def check_is_only(row: dict[str, Any], column: str, names: Iterable[str], setting: str) -> None:
    """Raises InvalidRow if another column of turns, of these names, says more than `column`."""
    others = [name for name in names if name != column and _are_turns(row.get(name))]
    said = "\n".join(_texts(row[column])) if others else ""
    for name in others:
        if any(text.strip() not in said for turn in row[name] for text in _contents(turn)):
            hint = f": set {setting.format('messages')} to one of them"
            raise InvalidRow(column, f"{column}, {name} could each be the conversation", hint=hint)


def check_continues_none(parent: Any, column: str, setting: str) -> None:
    """Raises InvalidRow if an exchange is a later one of a conversation whose earlier ones are other rows."""
    if str(parent).strip().lower() in NO_PARENT:
        return
    names = f"{setting.format('instruction')} and {setting.format('response')}"
    hint = f": set {names} to read it without the earlier ones"
    raise InvalidRow(column, "expected a whole conversation", "an exchange that continues another row", hint)


def _are_answered(turns: Any) -> bool:
    return isinstance(turns, list) and bool(turns) and role_of(turns[-1]) != "user"


def _are_turns(cell: Any) -> bool:
    if not isinstance(cell, list) or not cell or not isinstance(cell[0], dict):
        return False
    asks_and_answers = not cell[0].keys().isdisjoint(ASKED) and not cell[0].keys().isdisjoint(ANSWERED)
    return role_of(cell[0]) is not None or asks_and_answers


def _contents(turn: Any) -> Iterator[str]:
    """The texts of a turn without its id, time and the like."""
    if isinstance(turn, dict):
        cells = {plain(name) if isinstance(name, str) else name: cell for name, cell in turn.items()}
        names = CONTENTS if role_of(turn) is not None else (*ASKED, *ANSWERED, "system", *CONTENTS)
        turn = [cells[name] for name in names if name in cells] or turn
    return _texts(turn)


def _texts(turns: Any) -> Iterator[str]:
    """All texts in turns of any form and depth, in order, without the names of roles."""
    left = [turns]
    while left:
        one = left.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, list):
            left += reversed(one)
        elif isinstance(one, dict):
            left += reversed([cell for key, cell in one.items() if key not in _NO_TEXTS])
