"""A dataset file as an arm."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from staragents.base.errors import BadInput
from staragents.base.messages import Conversation
from staragents.config import SeedsConfig
from staragents.data.readers.data_files import DataFiles
from staragents.data.readers.raw_row import BadRow, RawRow
from staragents.data.readers.row_messages import RowReader
from staragents.data.seed_row import parse_row

SEED_ID = "seed_id"


@dataclass(frozen=True, slots=True)
class FileRow:
    """A conversation, and the seed that its column `seed_id` names."""

    row_id: str
    """Derived from the conversation, as the id of a seed is."""
    messages: Conversation
    seed_id: str | None


def file_rows(path: Path, setting: str) -> list[FileRow]:
    """All rows of a file in any format that seeds may have. `setting` names the source of the path.

    Raises BadInput with the first bad row, as file:row:field, if the file is empty, or if two rows have the
    same `seed_id`.
    """
    reader = RowReader(max_chars=SeedsConfig().max_chars, rewritable=True)
    files = DataFiles(path, reader.columns.also(SEED_ID), setting=setting)
    rows: list[FileRow] = []
    places: dict[str, int] = {}
    for block in files.blocks():
        for raw in block.rows:
            parsed = parse_row(raw, reader)
            if isinstance(parsed, BadRow):
                raise BadInput(parsed.located(block.file))
            seed_id = _seed_id(raw)
            if seed_id is not None and places.setdefault(seed_id, raw.row) != raw.row:
                raise BadInput(
                    f"{block.file}:{raw.row}:{SEED_ID}: expected one row per seed, "
                    f"row {places[seed_id]} has the same"
                )
            rows.append(FileRow(parsed.seed(0).seed_id, parsed.messages, seed_id))
    if not rows:
        raise BadInput(f"{setting}: expected rows, got an empty file: {path}")
    return rows


def _seed_id(raw: RawRow | BadRow) -> str | None:
    value = raw.value.get(SEED_ID) if isinstance(raw, RawRow) and isinstance(raw.value, dict) else None
    return value if isinstance(value, str) and value else None
