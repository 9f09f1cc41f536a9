"""Writes the results from candidate shards: the dataset, the rows that filters dropped, the quarantine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from staragents.base.messages import as_dicts
from staragents.base.records import CONVERSATION_TYPE, MISALIGNED, Candidate
from staragents.config import Config, Fallback
from staragents.data.row_file import RowFile
from staragents.data.seed_file import SeedFile
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

QUARANTINE_SCHEMA = pa.schema(
    [
        ("kind", pa.string()),
        ("id", pa.string()),
        ("row", pa.int64()),
        ("stage", pa.string()),
        ("agent", pa.string()),
        ("error_class", pa.string()),
        ("message", pa.string()),
    ]
)


@dataclass(slots=True)
class Written:
    """Counts of dataset rows.

    Of the `rows`, `rewritten` contain a candidate and `seed_instead` a seed whose candidate a filter dropped.
    `filtered_out` seeds have no row, as filters dropped every choice. Filter counts are by filter name.
    """

    rows: int = 0
    rewritten: int = 0
    filtered: dict[str, int] = field(default_factory=dict)
    flagged: dict[str, int] = field(default_factory=dict)
    seed_instead: int = 0
    filtered_out: int = 0


def write_dataset(run: RunDirectory, config: Config) -> Written:
    """Write both dataset files, one row per seed with `source` candidate or seed, and filtered.parquet.

    The same shards and filters give the same files. Raises BadInput if an evaluation set is missing.
    """
    writer = _DatasetWriter(run, config)
    return writer.write()


class _DatasetWriter:
    """Writes three files in one pass. None gets its final name before all are complete."""

    def __init__(self, run: RunDirectory, config: Config) -> None:
        self._run = run
        self._fallback = config.reward.fallback
        self._filters = RowFilters(config.filters)
        self._written = Written()

    def write(self) -> Written:
        with ExitStack() as stack:
            parquet, jsonl, filtered = (
                stack.enter_context(self._run.writing(name))
                for name in ("dataset.parquet", "dataset.jsonl", "filtered.parquet")
            )
            rows = stack.enter_context(RowFile(parquet, DATASET_SCHEMA, ".parquet"))
            lines = stack.enter_context(RowFile(jsonl, DATASET_SCHEMA, ".jsonl"))
            dropped = stack.enter_context(RowFile(filtered, FILTERED_SCHEMA, ".parquet"))
            for row in self._filtered_rows():
                if row["filter"] is not None:
                    dropped.add(row)
                    continue
                rows.add(row)
                lines.add(row)
                self._written.rewritten += row["source"] == "candidate"
        self._written.rows = rows.rows
        self._written.filtered, self._written.flagged = (
            dict(self._filters.filtered),
            dict(self._filters.flagged),
        )
        return self._written

    def _filtered_rows(self) -> Iterator[dict[str, Any]]:
        """For each seed, the choices that the filters drop, then the first one that they keep, if any."""
        for candidates in self._run.seeds():
            choices = _choices(candidates, self._fallback)
            for index, (candidate, source) in enumerate(choices):
                row = _row(candidate, source)
                finding = self._filters.look(
                    candidate.messages if source == "candidate" else candidate.seed_messages
                )
                yield {**row, "flags": finding.flags, "filter": finding.dropped_by, "detail": finding.detail}
                if finding.dropped_by is None:
                    self._written.seed_instead += index
                    break
            else:
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


def write_quarantine(run: RunDirectory, seeds: SeedFile) -> int:
    """Write every bad seed row and every failed or rejected candidate. Returns the number of rows.

    Bad rows are found by reading the seeds again, so neither memory nor the state keeps them.
    """
    with (
        run.writing("quarantine.parquet") as temporary,
        RowFile(temporary, QUARANTINE_SCHEMA, ".parquet") as file,
    ):
        for row in _quarantine_rows(run, seeds):
            file.add(row)
    return file.rows


def _quarantine_rows(run: RunDirectory, seeds: SeedFile) -> Iterator[dict[str, Any]]:
    for file, bad in seeds.bad_rows():
        yield {
            "kind": "seed",
            "id": f"{file}:{bad.row}",
            "row": bad.row,
            "stage": "read",
            "agent": None,
            "error_class": "BadRow",
            "message": f"{bad.problem.field}: {bad.problem.message}",
        }
    stage: str | None
    error: str | None
    agent: str | None
    message: str | None
    for candidates in run.seeds():
        for candidate in candidates:
            if candidate.failed:
                stage, agent = candidate.failed_stage, candidate.failed_agent
                error, message = candidate.error_class, candidate.error_message
            elif candidate.reject_reason:
                stage = "score" if candidate.reject_reason == MISALIGNED else "check"
                agent, error, message = candidate.pair, "Rejected", candidate.reject_reason
            else:
                continue
            yield {
                "kind": "candidate",
                "id": candidate.candidate_id,
                "row": candidate.seed_row,
                "stage": stage,
                "agent": agent,
                "error_class": error,
                "message": message,
            }
