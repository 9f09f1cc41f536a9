"""Rows through the models, window by window, into parts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from itertools import islice

import pyarrow as pa

from staragents.rows.data_files import DataFiles
from staragents.rows.row_messages import RowReader
from staragents.score_file.parts import Parts
from staragents.score_file.scan import score_row
from staragents.score_file.score_table import part_table
from staragents.scoring.ifd import Score, ScoreRow
from staragents.scoring.open_model import RowModel

# A window takes about this long: sorting by length wants large ones, progress and a kill small ones.
WINDOW_S = 4.0
FIRST_WINDOW, LARGEST_WINDOW = 8, 4096
WINDOW_CHARACTERS = 4_000_000


def score_missing(
    data: DataFiles,
    reader: RowReader,
    models: Mapping[str, RowModel],
    parts: Parts,
    advance: Callable[[int], None],
) -> None:
    """Score the rows that are not in `parts` yet, and call `advance` with the rows of every window.

    What is finished is written whatever ends this, Ctrl-C and an error of a model included.
    """
    same_tokenizer = len({model.tokenizer_id for model in models.values()}) == 1
    rows = (score_row(raw, block.file, reader) for block in data.blocks() for raw in block.rows)
    missing = islice(rows, parts.rows, None)
    size = FIRST_WINDOW
    try:
        while window := _window(missing, size):
            started = time.monotonic()
            parts.append(_scored(window, models, same_tokenizer))
            advance(len(window))
            # At most double: rows found in the cache take no time and say nothing about the next.
            wanted = len(window) * WINDOW_S / max(1e-3, time.monotonic() - started)
            size = int(min(max(wanted, FIRST_WINDOW), 2 * size, LARGEST_WINDOW))
    finally:
        parts.flush()


def _window(rows: Iterator[ScoreRow | str], size: int) -> list[ScoreRow | str]:
    window: list[ScoreRow | str] = []
    characters = 0
    for row in islice(rows, size):
        window.append(row)
        if isinstance(row, ScoreRow):
            characters += sum(len(message.content) for message in row.messages)
        if characters > WINDOW_CHARACTERS:
            break
    return window


def _scored(window: list[ScoreRow | str], models: Mapping[str, RowModel], same_tokenizer: bool) -> pa.Table:
    good = [row for row in window if isinstance(row, ScoreRow)]
    scores: dict[str, list[Score | None]] = {}
    for role, model in models.items():
        found = iter(model.score(good))
        scores[role] = [next(found) if isinstance(row, ScoreRow) else None for row in window]
    problems = [row if isinstance(row, str) else None for row in window]
    return part_table(scores, problems, same_tokenizer)
