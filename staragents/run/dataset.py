"""Writes the results from candidate shards: the dataset, the rows that filters dropped, the quarantine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from staragents.base.candidate_schema import CANDIDATE_SCHEMA
from staragents.base.messages import as_dicts
from staragents.base.records import Candidate, Stage, Status
from staragents.config import Config, Fallback
from staragents.data.seed_file import SeedFile
from staragents.filters.row_filters import RowFilters
from staragents.run_directory.run_directory import RunDirectory

ROWS_PER_GROUP = 1024

DATASET_SCHEMA = pa.schema(
    [
        ("messages", CANDIDATE_SCHEMA.field("messages").type),
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
            rows = stack.enter_context(pq.ParquetWriter(parquet, DATASET_SCHEMA, compression="zstd"))
            lines = stack.enter_context(jsonl.open("w", encoding="utf-8", newline="\n"))
            dropped = stack.enter_context(pq.ParquetWriter(filtered, FILTERED_SCHEMA, compression="zstd"))
            for group in _groups(self._filtered_rows()):
                kept = [row for row in group if row["filter"] is None]
                rows.write_table(pa.Table.from_pylist(kept, schema=DATASET_SCHEMA))
                lines.writelines(
                    json.dumps({name: row[name] for name in DATASET_SCHEMA.names}, ensure_ascii=False) + "\n"
                    for row in kept
                )
                dropped_rows = [row for row in group if row["filter"] is not None]
                dropped.write_table(pa.Table.from_pylist(dropped_rows, schema=FILTERED_SCHEMA))
                self._written.rows += len(kept)
                self._written.rewritten += sum(row["source"] == "candidate" for row in kept)
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
    count = 0

    def write(path: Path) -> None:
        nonlocal count
        with pq.ParquetWriter(path, QUARANTINE_SCHEMA, compression="zstd") as writer:
            for rows in _groups(_quarantine_rows(run, seeds)):
                writer.write_table(pa.Table.from_pylist(rows, schema=QUARANTINE_SCHEMA))
                count += len(rows)

    run.write_with("quarantine.parquet", write)
    return count


def _quarantine_rows(run: RunDirectory, seeds: SeedFile) -> Iterator[dict[str, Any]]:
    for file, bad in seeds.bad_rows():
        yield {
            "kind": "seed",
            "id": f"{file}:{bad.row}",
            "row": bad.row,
            "stage": "read",
            "agent": None,
            "error_class": "BadRow",
            "message": f"{bad.field}: {bad.message}",
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
            elif candidate.rejected:
                stage = Stage.score if candidate.status is Status.misaligned else "check"
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


def _groups(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    group: list[dict[str, Any]] = []
    for row in rows:
        group.append(row)
        if len(group) == ROWS_PER_GROUP:
            yield group
            group = []
    yield group
