"""Writes the dataset of a run and the rows that filters dropped."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa

from staragents.base.candidate_schema import CONVERSATION_TYPE
from staragents.base.messages import as_dicts
from staragents.base.records import Candidate
from staragents.config import Config, Fallback
from staragents.data.row_file import RowFile
from staragents.filters.row_filters import RowFilters
from staragents.run_directory.run_directory import RunDirectory

DATASET_SCHEMA = pa.schema(
    [
        ("messages", CONVERSATION_TYPE),
        ("seed_id", pa.string()),
        ("candidate_id", pa.string()),
        ("source", pa.string()),
        ("pair", pa.string()),
        ("reward", pa.float64()),
        ("judge_win", pa.float64()),
        ("target_ifd", pa.float64()),
        ("larger_ifd", pa.float64()),
        ("flags", pa.list_(pa.string())),
    ]
)

FILTERED_SCHEMA = pa.schema([*DATASET_SCHEMA, ("filter", pa.string()), ("detail", pa.string())])
"""A row that a filter dropped, with the filter's name and finding."""


@dataclass(slots=True)
class Written:
    """Counts of dataset rows.

    Of the `rows`, `rewritten` contain a candidate, `seed_instead` a seed whose candidate a filter dropped,
    `reasoning` the reasoning of an answer. `filtered_out` seeds have no row, as filters dropped every choice.
    Filter counts are by filter name.
    """

    rows: int = 0
    rewritten: int = 0
    filtered: dict[str, int] = field(default_factory=dict)
    flagged: dict[str, int] = field(default_factory=dict)
    seed_instead: int = 0
    filtered_out: int = 0
    reasoning: int = 0


@contextmanager
def writing_dataset(run: RunDirectory, config: Config) -> Iterator[DatasetWriter]:
    """Write both dataset files, one row per seed with `source` candidate or seed, and filtered.parquet.

    Add all seeds in the block. The same candidates and filters give the same files, which get their names
    when the block ends without an error. Raises BadInput if an evaluation set is missing.
    """
    filters = RowFilters(config.filters)
    with ExitStack() as stack:
        parquet, jsonl, filtered = (
            stack.enter_context(run.writing(name))
            for name in ("dataset.parquet", "dataset.jsonl", "filtered.parquet")
        )
        writer = DatasetWriter(
            stack.enter_context(RowFile(parquet, DATASET_SCHEMA, ".parquet")),
            stack.enter_context(RowFile(jsonl, DATASET_SCHEMA, ".jsonl")),
            stack.enter_context(RowFile(filtered, FILTERED_SCHEMA, ".parquet")),
            filters,
            config.reward.fallback,
        )
        yield writer


class DatasetWriter:
    """Filters the possible rows of each seed, and writes those that filters keep and those that they drop."""

    def __init__(
        self, rows: RowFile, lines: RowFile, dropped: RowFile, filters: RowFilters, fallback: Fallback
    ) -> None:
        self._rows, self._lines, self._dropped = rows, lines, dropped
        self._filters = filters
        self._fallback = fallback
        self._written = Written()

    @property
    def written(self) -> Written:
        """Counts of the rows added so far."""
        return replace(
            self._written,
            rows=self._rows.rows,
            filtered=dict(self._filters.filtered),
            flagged=dict(self._filters.flagged),
        )

    def add_seed(self, candidates: list[Candidate]) -> None:
        """Add the choices that the filters drop, then the first one that they keep, if any."""
        choices = _choices(candidates, self._fallback)
        for index, (candidate, source) in enumerate(choices):
            messages = candidate.messages if source == "candidate" else candidate.seed_messages
            finding = self._filters.look(messages)
            row = {**_row(candidate, source), "flags": finding.flags}
            if finding.dropped_by is None:
                self._rows.add(row)
                self._lines.add(row)
                self._written.rewritten += source == "candidate"
                self._written.seed_instead += index
                self._written.reasoning += any(turn.reasoning_content for turn in messages)
                return
            self._dropped.add({**row, "filter": finding.dropped_by, "detail": finding.detail})
        self._written.filtered_out += bool(choices)


def _choices(candidates: list[Candidate], fallback: Fallback) -> list[tuple[Candidate, str]]:
    """The possible dataset rows for a seed, best first: the chosen candidate, then the seed."""
    chosen = [(candidate, "candidate") for candidate in candidates if candidate.selected]
    return chosen[:1] + [(candidates[0], "seed")] * (fallback is Fallback.seed)


def _row(candidate: Candidate, source: str) -> dict[str, Any]:
    is_seed = source == "seed"
    return {
        "messages": as_dicts(candidate.seed_messages if is_seed else candidate.messages),
        "seed_id": candidate.seed_id,
        "candidate_id": None if is_seed else candidate.candidate_id,
        "source": source,
        "pair": None if is_seed else candidate.pair,
        "reward": None if is_seed else candidate.reward,
        "judge_win": None if is_seed else candidate.judge_win,
        "target_ifd": candidate.seed_target_ifd if is_seed else candidate.target_ifd,
        "larger_ifd": candidate.seed_larger_ifd if is_seed else candidate.larger_ifd,
    }
