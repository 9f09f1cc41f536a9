"""Finds a row's instruction and response columns by their names."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from staragents.config import ColumnsConfig, RowFormat
from staragents.data.readers.raw_row import InvalidRow, shown_columns

QUESTIONS = ("question", "query", "problem")
INSTRUCTIONS = ("instruction", *QUESTIONS)
PROMPTS = ("prompt", "inputs", "input")
"""Used as the instruction only without one of the above; next to one they repeat it or contain more text."""
RESPONSES = ("output", "response", "answer", "completion", "solution", "target", "targets", "chosen")
INPUTS = ("input", "context")
HISTORIES = ("history",)
SYSTEMS = ("system", "system_prompt")

ANY = ((*INSTRUCTIONS, *PROMPTS), RESPONSES)
PAIRS = {
    RowFormat.alpaca: (("instruction",), ("output",)),
    RowFormat.dolly: (("instruction",), ("response",)),
    RowFormat.question_answer: (QUESTIONS, tuple(name for name in RESPONSES if name != "chosen")),
    RowFormat.prompt_completion: (PROMPTS, tuple(name for name in RESPONSES if name != "chosen")),
    RowFormat.preference: ((*INSTRUCTIONS, *PROMPTS), ("chosen",)),
    RowFormat.history: ANY,
}
"""Column names of instruction and response in each format that has both."""


@dataclass(frozen=True, slots=True)
class PairColumns:
    """The columns of an exchange and its context."""

    format: RowFormat
    instruction: str
    input: str | None
    response: str
    history: str | None
    system: str | None


def pair_columns(row: dict[str, Any], wanted: RowFormat, named: ColumnsConfig, setting: str) -> PairColumns:
    """Find the columns. Raises InvalidRow, which names the `setting` to use, if there is no or more than one
    choice."""
    asks, answers = PAIRS.get(wanted, ANY)
    instruction = _one("instruction", row, asks, named.instruction, setting)
    response = _one("response", row, answers, named.response, setting)
    inputs = [name for name in INPUTS if name in row and name not in (instruction, response)]
    history = _optional("history", row, HISTORIES, named.history, setting)
    if wanted is RowFormat.history and history is None:
        raise InvalidRow("history", "expected the column history", shown_columns(row))
    return PairColumns(
        _format(instruction, response, history) if wanted is RowFormat.auto else wanted,
        instruction,
        _optional("input", row, inputs, named.input, setting),
        response,
        history,
        _optional("system", row, SYSTEMS, named.system, setting),
    )


def _format(instruction: str, response: str, history: str | None) -> RowFormat:
    if history is not None:
        return RowFormat.history
    for format_, (asks, answers) in PAIRS.items():
        if instruction in asks and response in answers:
            return format_
    return RowFormat.question_answer


def _one(part: str, row: dict[str, Any], names: Collection[str], named: str | None, setting: str) -> str:
    if named is not None:
        return present(part, row, named, setting)
    found = [name for name in names if name in row]
    if part == "instruction" and any(name in INSTRUCTIONS for name in found):
        found = [name for name in found if name in INSTRUCTIONS]
    elif part == "instruction":
        found = found[:1]
    if len(found) > 1:
        # Merged datasets have the columns of both, with one set null.
        found = [name for name in found if row[name] is not None] or found
    if len(found) == 1:
        return found[0]
    if found:
        raise InvalidRow(
            found[0],
            f"{', '.join(found)} could each be the {part}",
            hint=f": set {setting.format(part)}; the columns are {shown_columns(row)}",
        )
    if {"parent_id", "text", "role"} <= row.keys():
        raise InvalidRow(
            "row", "expected a whole conversation", "one message", ": use the file with whole trees"
        )
    raise InvalidRow(
        next(iter(names)) if part == "instruction" else "response",
        f"expected the columns of a known format or your names in {setting.format('instruction')} and "
        f"{setting.format('response')} (or {setting.format('messages')})",
        shown_columns(row),
    )


def _optional(
    part: str, row: dict[str, Any], names: Collection[str], named: str | None, setting: str
) -> str | None:
    if named is not None:
        return present(part, row, named, setting)
    return next((name for name in names if name in row), None)


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
