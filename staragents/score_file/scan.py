"""Validates all rows before a model is loaded."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from staragents.base.errors import BadInput
from staragents.base.messages import as_dicts
from staragents.data.readers.data_files import DataFiles
from staragents.data.readers.raw_row import BadRow, InvalidRow, RawRow
from staragents.data.readers.row_messages import RowReader
from staragents.scoring.ifd import ScoreRow

PROBLEMS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Scan:
    """`rows` counts all rows, `bad` those that can't be scored; `sha256` covers the conversations in
    order."""

    rows: int
    bad: int
    sha256: str
    problems: tuple[str, ...]


def scan(data: DataFiles, reader: RowReader, strict: bool) -> Scan:
    """Read all rows once. Raises BadInput if a file is unreadable, if no row can be scored or, with `strict`,
    if any row can't."""
    rows = bad = 0
    digest = hashlib.sha256()
    problems: list[str] = []
    for block in data.blocks():
        for raw in block.rows:
            row = score_row(raw, block.file, reader)
            rows += 1
            if isinstance(row, str):
                bad += 1
                problems += [row] if len(problems) < PROBLEMS_SHOWN else []
                digest.update(b"bad\n")
            else:
                digest.update(json.dumps(as_dicts(row.messages)).encode() + b"\n")
    if bad and (strict or bad == rows):
        more = [f"{data.path}: and {bad - len(problems)} more bad rows"] if bad > len(problems) else []
        none = [f"{data.path}: expected at least one row to score, got {bad} bad ones"] if bad == rows else []
        raise BadInput([*problems, *more, *none])
    if not rows:
        raise BadInput(f"{data.path}: expected rows, got none")
    return Scan(rows, bad, digest.hexdigest(), tuple(problems))


def score_row(raw: RawRow | BadRow, file: str, reader: RowReader) -> ScoreRow | str:
    """The row to score, or its problem as file:row:field: message."""
    if isinstance(raw, BadRow):
        return raw.located(file)
    try:
        return ScoreRow(reader.messages(raw.value))
    except InvalidRow as error:
        return BadRow(raw.row, error.problem).located(file)
