"""From candidate shards to the result: dataset.jsonl, dataset.parquet and quarantine.parquet."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from staragents.config import Fallback
from staragents.messages import as_dicts
from staragents.records import CANDIDATE_SCHEMA, MISALIGNED, Candidate
from staragents.run_directory import RunDirectory
from staragents.seeds.seed_file import SeedFile

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
    ]
)

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


def write_dataset(run: RunDirectory, fallback: Fallback) -> int:
    """Write both dataset files, one row a seed; `source` says candidate or seed. Returns the rows."""
    count = 0

    def write(parquet: Path) -> None:
        def both(jsonl: Path) -> None:
            nonlocal count
            with (
                pq.ParquetWriter(parquet, DATASET_SCHEMA, compression="zstd") as writer,
                jsonl.open("w", encoding="utf-8", newline="\n") as lines,
            ):
                for rows in _groups(_dataset_rows(run, fallback)):
                    writer.write_table(pa.Table.from_pylist(rows, schema=DATASET_SCHEMA))
                    lines.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
                    count += len(rows)

        run.write_with("dataset.jsonl", both)

    run.write_with("dataset.parquet", write)
    return count


def _dataset_rows(run: RunDirectory, fallback: Fallback) -> Iterator[dict[str, Any]]:
    for candidates in run.seeds():
        chosen = next((candidate for candidate in candidates if candidate.selected), None)
        if chosen is not None:
            yield _row(chosen, "candidate")
        elif fallback is Fallback.seed:
            yield _row(candidates[0], "seed")


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
    """Write every bad seed row and every candidate that failed or was rejected. Returns the number of rows.

    Nothing of it is kept in memory or in the state: bad rows are found again by reading the seeds.
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


def _groups(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    group: list[dict[str, Any]] = []
    for row in rows:
        group.append(row)
        if len(group) == ROWS_PER_GROUP:
            yield group
            group = []
    yield group
