"""A dataset file as an arm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from staragents.base.errors import BadInput
from staragents.base.messages import Conversation, without_inputs
from staragents.config import ColumnsConfig
from staragents.data.readers.raw_row import BadRow, RawRow
from staragents.data.seed_row import parse_row
from staragents.evaluation.given_rows import GivenRows

SEED_ID = "seed_id"


@dataclass(frozen=True, slots=True)
class FileRow:
    """A conversation, and the seed that its column `seed_id` names."""

    row_id: str
    """Derived from the conversation, as the id of a seed is."""
    messages: Conversation
    seed_id: str | None


def file_rows(
    path: Path, setting: str, columns: ColumnsConfig | None = None, told: Callable[[str], None] | None = None
) -> list[FileRow]:
    """All rows of a file in any format that seeds may have. `setting` names the source of the path,
    `columns` are the user's names. `told` receives what the user should know about how it was read. An
    input in a column of its own is a part of the instruction, as in the rows of a run.

    Raises BadInput with the first bad row, as file:row:field, if the file is empty, or if two rows have the
    same `seed_id`.
    """
    given = GivenRows(path, setting, columns or ColumnsConfig(), SEED_ID)
    rows: list[FileRow] = []
    places: dict[str, tuple[str, int]] = {}
    for file, raw in given:
        parsed = parse_row(raw, given.reader)
        if isinstance(parsed, BadRow):
            raise BadInput(parsed.located(file))
        seed_id = _seed_id(raw)
        if seed_id is not None:
            if seed_id in places:
                first, row = places[seed_id]
                where = f"row {row}" if first == file else f"{first}:{row}"
                raise BadInput(f"{file}:{raw.row}:{SEED_ID}: expected one row per seed, {where} has the same")
            places[seed_id] = file, raw.row
        rows.append(FileRow(parsed.seed(0).seed_id, without_inputs(parsed.messages), seed_id))
    if not rows:
        raise BadInput(f"{setting}: expected rows, got an empty file: {path}")
    if told is not None:
        for note in given.notes:
            told(note)
    return rows


def _seed_id(raw: RawRow | BadRow) -> str | None:
    value = raw.value.get(SEED_ID) if isinstance(raw, RawRow) and isinstance(raw.value, dict) else None
    return value if isinstance(value, str) and value else None
