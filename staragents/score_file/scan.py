"""Validates all rows before a model is loaded."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from staragents.base.errors import BadInput
from staragents.base.messages import as_dicts
from staragents.data.bad_rows import BadRows
from staragents.data.readers.data_files import DataFiles
from staragents.data.readers.raw_row import BadRow, RawRow
from staragents.data.readers.row_messages import RowReader
from staragents.data.seed_row import parse_row
from staragents.scoring.ifd import ScoreRow


@dataclass(frozen=True, slots=True)
class Scan:
    """`rows` counts all rows, `bad` those that can't be scored, `with_input` those with an input in a column
    of its own, `with_reasoning` those whose answer has reasoning; `sha256` covers the conversations in
    order."""

    rows: int
    bad: int
    sha256: str
    problems: tuple[str, ...]
    with_input: int = 0
    with_reasoning: int = 0


def scan(data: DataFiles, reader: RowReader, strict: bool) -> Scan:
    """Read all rows once. Raises BadInput if a file is unreadable, if no row can be scored or, with `strict`,
    if any row can't."""
    rows = with_input = with_reasoning = 0
    bad = BadRows()
    digest = hashlib.sha256()
    for block in data.blocks():
        rows += len(block.rows)
        for raw in block.rows:
            row = parse_row(raw, reader)
            if isinstance(row, BadRow):
                bad.add(block.file, row)
                digest.update(b"bad\n")
            else:
                with_input += any(turn.input for turn in row.messages)
                with_reasoning += bool(row.messages[-1].reasoning_content)
                digest.update(json.dumps(as_dicts(row.messages)).encode() + b"\n")
    bad.check(data.path, rows - bad.count, strict, "row to score")
    if not rows:
        raise BadInput(f"{data.path}: expected rows, got none")
    return Scan(rows, bad.count, digest.hexdigest(), tuple(bad.problems), with_input, with_reasoning)


def score_row(raw: RawRow | BadRow, file: str, reader: RowReader) -> ScoreRow | str:
    """The row to score, or its problem as file:row:field: message."""
    row = parse_row(raw, reader)
    return row.located(file) if isinstance(row, BadRow) else ScoreRow(row.messages)
