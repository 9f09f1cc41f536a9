"""Finds a row's instruction and response columns by their names."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from staragents.config import ColumnsConfig, RowFormat
from staragents.data.readers.answers import REASONINGS
from staragents.data.readers.cell_values import parsed_list
from staragents.data.readers.choices import check_choices, has_choices
from staragents.data.readers.pair_names import (
    ANSWERERS,
    ANY,
    ARTICLES,
    DEFINITION,
    FURTHER_RESPONSES,
    HISTORIES,
    INPUTS,
    INSTRUCTIONS,
    PAIRS,
    PROMPTS,
    REASONED,
    REJECTED,
    RESPONSES,
    SPEAKERS,
    SYSTEMS,
    THOUGHTS,
    says_nothing,
)
from staragents.data.readers.raw_row import InvalidRow, shown_columns


@dataclass(frozen=True, slots=True)
class PairColumns:
    """The columns of an exchange and its context. `reasonings` may hold the thought before the response."""

    format: RowFormat
    instruction: str
    input: str | None
    response: str
    history: str | None
    system: str | None
    reasonings: tuple[str, ...] = ()


def pair_columns(row: dict[str, Any], wanted: RowFormat, named: ColumnsConfig, setting: str) -> PairColumns:
    """Find the columns. Raises InvalidRow, which names the `setting` to use, if there is no or more than one
    choice, or if the row's choices would be lost."""
    asks, answers = PAIRS.get(wanted, ANY)
    instruction = _instruction(row, asks, named.instruction, setting)
    response = _response(row, answers, named.response, setting)
    if not (named.instruction and named.response):
        check_choices(row, instruction, setting)
    history = _context("history", row, HISTORIES, named.history, setting)
    inputs = () if named.input is not None else _inputs(row, {instruction, response, history}, setting)
    if wanted is RowFormat.history and history is None:
        raise InvalidRow("history", "expected the column history", shown_columns(row))
    return PairColumns(
        _format(instruction, response, history) if wanted is RowFormat.auto else wanted,
        instruction,
        present("input", row, named.input, setting) if named.input else next(iter(inputs), None),
        response,
        history,
        _context("system", row, SYSTEMS, _named_system(row, named), setting),
        reasoning_columns(row, response, named, setting),
    )


def _inputs(row: dict[str, Any], taken: set[str | None], setting: str) -> tuple[str, ...]:
    """The column of the input, or none. Raises InvalidRow if several could be it."""
    names = (*INPUTS, "prompt") if DEFINITION in taken else INPUTS
    found = [name for name in names if name in row and name not in taken]
    if any(not _is_blank(row[name]) for name in found):
        return (_one("input", row, found, setting),)
    asked = " ".join(cell for name in taken if name and isinstance(cell := row.get(name), str))
    texts = {name: joined_texts(row[name]) for name in ARTICLES if name in row and name not in taken}
    # Some questions contain the text that they are about.
    articles = [name for name, text in texts.items() if text and text.strip() not in asked]
    return (_one("input", row, articles, setting),) if articles else tuple(found[:1])


def joined_texts(cell: Any) -> str | None:
    """A text, or a list of texts as one, which a cell of CSV holds as text; None for anything else."""
    if isinstance(cell, str) and cell.startswith(('["', "['")):
        listed = parsed_list(cell) or []
        return "\n\n".join(listed) if listed and all(isinstance(text, str) for text in listed) else cell
    if isinstance(cell, list) and all(isinstance(text, str) for text in cell):
        return "\n\n".join(cell)
    return cell if isinstance(cell, str) else None


def reasoning_columns(
    row: dict[str, Any], response: str | None, named: ColumnsConfig, setting: str
) -> tuple[str, ...]:
    """The columns that may hold the thought before a response: the one that the user named, none for an empty
    name, else those known."""
    if named.reasoning is not None:
        return (present("reasoning", row, named.reasoning, setting),) if named.reasoning else ()
    if THOUGHTS.isdisjoint(row):
        return ()
    own = tuple(thought for thought, answer in REASONED.items() if answer == response and thought in row)
    return own or tuple(name for name in REASONINGS if name in row and name != response)


def depends_on_values(row: dict[str, Any], named: ColumnsConfig) -> bool:
    """Whether the choice of columns may differ in the next row with the same columns."""
    asks = [name for name in row if name in (*INSTRUCTIONS, "prompt")]
    inputs = [name for name in row if name in INPUTS]
    answers = [name for name in row if name in RESPONSES or name in FURTHER_RESPONSES]
    return (
        (len(asks) > 1 and not named.instruction)
        or (len(answers) > 1 and not named.response)
        or (len(inputs) > 1 and not named.input)
        or (named.history is None and sum(name in row for name in HISTORIES) > 1)
        or (named.system in (None, *SYSTEMS) and sum(name in row for name in SYSTEMS) > 1)
        or (DEFINITION in row and not named.instruction)
        or any(name in row for name in (*REASONED, *ARTICLES, "answers"))
        or has_choices(row)
    )


def _format(instruction: str, response: str, history: str | None) -> RowFormat:
    if history is not None:
        return RowFormat.history
    for format_, (asks, answers) in PAIRS.items():
        if format_ is not RowFormat.history and instruction in asks and response in answers:
            return format_
    if instruction in (*PROMPTS, *SPEAKERS, DEFINITION):
        return RowFormat.prompt_completion
    return RowFormat.question_answer


def _instruction(row: dict[str, Any], names: Collection[str], named: str | None, setting: str) -> str:
    if named is not None:
        return present("instruction", row, named, setting)
    found = [name for name in names if name in row]
    if asks := [name for name in found if name in INSTRUCTIONS]:
        chosen = _one("instruction", row, asks, setting)
        if "prompt" in found and (_is_blank(row[chosen]) or not _is_part(row[chosen], row["prompt"])):
            return _one("instruction", row, [chosen, "prompt"], setting)
        return chosen
    if found:
        return DEFINITION if row.get(DEFINITION) is not None else found[0]
    speakers = [name for name in SPEAKERS if name in row]
    if len(speakers) == 1 and any(name in row for name in ANSWERERS) and "prompt" in names:
        return speakers[0]
    raise _unknown("instruction", row, names, setting)


def _response(row: dict[str, Any], names: Collection[str], named: str | None, setting: str) -> str:
    if named is not None:
        return present("response", row, named, setting)
    # `chosen` may also be a label.
    found = [name for name in names if name in row and not (name == "chosen" and isinstance(row[name], bool))]
    # A format with one name for the response has no other.
    if len(names) > 1:
        led_to = [answer for thought, answer in REASONED.items() if row.get(thought) and row.get(answer)]
        found = [name for name in led_to if name != "content"] or found
        found = found or [name for name in FURTHER_RESPONSES if name in row and not _is_data(row, name)]
        found = found or led_to
    if found:
        return _one("response", row, found, setting)
    raise _unknown("response", row, names, setting)


def _is_data(row: dict[str, Any], name: str) -> bool:
    """Whether `answers` holds calls of tools, or several answers with their places, as text."""
    return name == "answers" and isinstance(row[name], str) and row[name].lstrip().startswith(("[", "{"))


def _one(part: str, row: dict[str, Any], found: list[str], setting: str) -> str:
    """The only one of several columns that has a value, or the first if all values are the same."""
    # Merged datasets have the columns of both, with one set null or empty.
    filled = [name for name in found if not _is_blank(row[name])] or found
    values = [row[name].strip() if isinstance(row[name], str) else row[name] for name in filled]
    if all(value == values[0] for value in values[1:]):
        return filled[0]
    raise InvalidRow(
        filled[0],
        f"{', '.join(filled)} could each be the {part}",
        hint=f": set {setting.format(part)}; the columns are {shown_columns(row)}",
    )


def _is_part(one: Any, other: Any) -> bool:
    """Whether one of two texts repeats the other, or holds it among more."""
    if not isinstance(one, str) or not isinstance(other, str):
        return True
    return one.strip() in other or other.strip() in one


def _is_blank(value: Any) -> bool:
    return value in (None, [], {}) or value != value or (isinstance(value, str) and not value.strip())


def _unknown(part: str, row: dict[str, Any], names: Collection[str], setting: str) -> InvalidRow:
    """The error of a row in which no column is known."""
    if {"parent_id", "text", "role"} <= row.keys():
        return InvalidRow(
            "row", "expected a whole conversation", "one message", ": use the file with whole trees"
        )
    if part == "response" and any(not _is_blank(row.get(name)) for name in REJECTED):
        return InvalidRow("row", "expected an answer to learn from", "only a rejected one")
    return InvalidRow(
        next(iter(names)) if part == "instruction" else "response",
        f"expected the columns of a known format or your names in {setting.format('instruction')} and "
        f"{setting.format('response')} (or {setting.format('messages')})",
        shown_columns(row),
    )


def _context(
    part: str, row: dict[str, Any], names: Collection[str], named: str | None, setting: str
) -> str | None:
    if named is not None:
        return present(part, row, named, setting) if named else None
    found = [name for name in names if name in row]
    said = [name for name in found if not (isinstance(row[name], str) and says_nothing(row[name]))]
    return _one(part, row, said or found, setting) if found else None


def system_column(row: dict[str, Any], named: ColumnsConfig, setting: str) -> str | None:
    """The column of the system prompt beside turns, or None. Raises InvalidRow if several could be it."""
    name = _named_system(row, named)
    if name is not None:
        return name if name in row else None
    return _context("system", row, SYSTEMS, None, setting)


def _named_system(row: dict[str, Any], named: ColumnsConfig) -> str | None:
    """The column that the user named, or None if another one of a system prompt has to take its place."""
    # Merged datasets have the columns of both, with one set null or missing.
    is_null = named.system in SYSTEMS and _is_null(row.get(named.system))
    return None if is_null and any(not _is_null(row.get(name)) for name in SYSTEMS) else named.system


def _is_null(cell: Any) -> bool:
    return cell is None or cell != cell


def present(part: str, row: dict[str, Any], name: str, setting: str) -> str:
    """Return the name. Raises InvalidRow if the row has no such column."""
    if name in row:
        return name
    near = difflib.get_close_matches(name, [key for key in row if isinstance(key, str)], n=1)
    instead = f", did you mean {near[0]!a}?" if near else ""
    raise InvalidRow(
        ascii(name).strip("'"),
        f"expected the column that {setting.format(part)} names",
        shown_columns(row),
        instead,
    )
