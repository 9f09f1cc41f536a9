"""Reads conversations that no student is trained on."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from staragents.base.errors import BadInput
from staragents.base.messages import as_dicts, without_inputs
from staragents.base.records import stable_id, stable_seed
from staragents.config import ColumnsConfig
from staragents.data.bad_rows import BadRows
from staragents.data.readers.answers import answer_message
from staragents.data.readers.raw_row import BadRow, InvalidRow, RawRow, shown
from staragents.data.readers.row_messages import RowReader
from staragents.data.readers.texts import Texts
from staragents.data.seed_path import seed_path
from staragents.evaluation.given_rows import GivenRows
from staragents.evaluation.held_out import ANSWER, HeldOut

SETTING = "--held-out"
ANSWERS = "answers"
"""The column of rows with several writers: an object of answers by writer, beside an instruction or turns
that end with the user's."""
RESPONSE = "response"


def read_held_out(
    path: str,
    rows: int | None = None,
    columns: ColumnsConfig | None = None,
    told: Callable[[str], None] | None = None,
) -> tuple[HeldOut, ...]:
    """The conversations of a dataset in any format that seeds may have, or with the column `ANSWERS`.

    Repeated conversations are read once; several rows with the same prompt and writers stay apart. `rows`
    draws that many at random, the same in every call, in the order of the file. `columns` are the user's
    names. `told` receives what the user should know about how the file was read. An input in a column of its
    own is a part of the instruction, as in the rows that students are trained on.

    Raises BadInput with file:row:field for a bad row, and if there are no rows.
    """
    given = GivenRows(seed_path(path, SETTING), SETTING, columns or ColumnsConfig(), ANSWERS)
    bad = BadRows()
    found: dict[str, HeldOut] = {}
    for file, raw in given:
        try:
            if isinstance(raw, BadRow):
                bad.add(file, raw)
            else:
                one = _held_out(raw, given.reader)
                found.setdefault(one.conversation_id, one)
        except InvalidRow as error:
            bad.add(file, BadRow(raw.row, error.problem))
    bad.check(path, len(found), strict=True, wanted="conversation")
    if not found:
        raise BadInput(f"{SETTING}: expected rows, got none in {path}")
    if told is not None:
        for note in given.notes:
            told(note)
    if rows is None or rows >= len(found):
        return tuple(found.values())
    drawn = set(sorted(found, key=lambda name: (stable_seed("held out", name), name))[:rows])
    return tuple(one for name, one in found.items() if name in drawn)


def _held_out(raw: RawRow, reader: RowReader) -> HeldOut:
    """Raises InvalidRow."""
    value = raw.value
    if not isinstance(value, dict) or ANSWERS not in value or _is_squad(value[ANSWERS]):
        _, messages = reader.read(value)
        answers = {ANSWER: messages[-1].content}
    else:
        answers = _answers(value[ANSWERS])
        rest = {name: one for name, one in value.items() if name != ANSWERS}
        # In place of the answers, so that the prompt is read as it is with a single one.
        response = reader.named.response or RESPONSE
        _, messages = reader.read({**rest, response: next(iter(answers.values()))})
    prompt = without_inputs(messages[:-1])
    said = json.dumps([as_dicts(prompt), sorted(answers.items())])
    return HeldOut(stable_id(said), prompt, answers)


def _is_squad(value: Any) -> bool:
    """Whether it holds the texts of one answer and where they begin, which the reader of rows knows."""
    return isinstance(value, dict) and isinstance(value.get("text"), list)


def _answers(value: Any) -> dict[str, str]:
    """The answers by writer, without what was thought before them, as the reader of rows reads a single one.
    Raises InvalidRow unless it holds texts by names."""
    by_writer = value.items() if isinstance(value, dict) else ()
    # Parquet has all writers of a file in every row, null where one did not answer; pandas writes NaN.
    answers = {name: answer for name, answer in by_writer if answer is not None and answer == answer}
    if not answers:
        raise InvalidRow(ANSWERS, "expected an object with an answer by writer", shown(value))
    texts = Texts()
    for name in answers:
        texts.text(name, f"{ANSWERS} (a writer's name)")
    return {
        name: answer_message(texts, answer, f"{ANSWERS}.{ascii(name)[1:-1]}").content
        for name, answer in answers.items()
    }
