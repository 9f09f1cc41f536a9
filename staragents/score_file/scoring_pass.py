"""Scores rows in windows (batches of consecutive rows) and writes them to parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Protocol

from staragents.data.readers.data_files import DataFiles
from staragents.data.readers.row_messages import RowReader
from staragents.score_file.parts import Parts
from staragents.score_file.scan import score_row
from staragents.score_file.score_table import part_table
from staragents.score_file.windows import Windows
from staragents.scoring.ifd import Score, ScoreRow


class Scorers(Protocol):
    """The models of a command, in one or more processes. `parameters` are parameter counts by role."""

    parameters: dict[str, int]
    same_tokenizer: bool

    def score(self, windows: Iterable[list[ScoreRow]]) -> Iterator[dict[str, list[Score]]]:
        """Scores by role for each window, in order. May take further windows before it yields one."""


def score_missing(
    data: DataFiles, reader: RowReader, scorers: Scorers, parts: Parts, advance: Callable[[int], None]
) -> None:
    """Score the rows that are not yet in `parts`; call `advance` with the number of rows of each window.

    Finished windows are written even after Ctrl-C or a model error.
    """
    rows = (score_row(raw, block.file, reader) for block in data.blocks() for raw in block.rows)
    windows = Windows(islice(rows, parts.rows, None))
    try:
        for scores in scorers.score(windows):
            window = windows.back()
            problems = [row if isinstance(row, str) else None for row in window]
            parts.append(part_table(_with_gaps(scores, window), problems, scorers.same_tokenizer))
            advance(len(window))
    finally:
        parts.flush()


def _with_gaps(
    scores: Mapping[str, list[Score]], window: list[ScoreRow | str]
) -> dict[str, list[Score | None]]:
    """The scores of a window, with None for bad rows."""
    return {
        role: [next(found) if isinstance(row, ScoreRow) else None for row in window]
        for role, found in ((role, iter(values)) for role, values in scores.items())
    }
