"""Writes the quarantine: bad seed rows, and candidates that failed or were rejected."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from staragents.base.records import Candidate, Stage, Status
from staragents.data.seed_file import SeedFile
from staragents.run.row_groups import RowGroups
from staragents.run_directory.run_directory import RunDirectory

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


@contextmanager
def writing_quarantine(run: RunDirectory, seeds: SeedFile) -> Iterator[Quarantine]:
    """Write quarantine.parquet: the bad seed rows, then those of the seeds added in the block.

    Bad rows are found by reading the seeds again, so neither memory nor the state keeps them. The file gets
    its name when the block ends without an error.
    """
    with (
        run.writing("quarantine.parquet") as path,
        pq.ParquetWriter(path, QUARANTINE_SCHEMA, compression="zstd") as file,
    ):
        quarantine = Quarantine(file)
        quarantine.add_bad_rows(seeds)
        yield quarantine
        quarantine.flush()


class Quarantine:
    """One row for every bad seed row and every failed or rejected candidate."""

    def __init__(self, file: pq.ParquetWriter) -> None:
        self._file = file
        self._groups = RowGroups(self._write)
        self.rows = 0
        """Number of rows written; complete after the block of `writing_quarantine`."""

    def add_bad_rows(self, seeds: SeedFile) -> None:
        for file, bad in seeds.bad_rows():
            self._groups.add(
                {
                    "kind": "seed",
                    "id": f"{file}:{bad.row}",
                    "row": bad.row,
                    "stage": "read",
                    "agent": None,
                    "error_class": "BadRow",
                    "message": f"{bad.field}: {bad.message}",
                }
            )

    def add_seed(self, candidates: list[Candidate]) -> None:
        for candidate in candidates:
            if candidate.failed or candidate.rejected:
                self._groups.add(
                    {
                        "kind": "candidate",
                        "id": candidate.candidate_id,
                        "row": candidate.seed_row,
                        **_problem(candidate),
                    }
                )

    def flush(self) -> None:
        self._groups.flush()

    def _write(self, rows: list[dict[str, Any]]) -> None:
        self._file.write_table(pa.Table.from_pylist(rows, schema=QUARANTINE_SCHEMA))
        self.rows += len(rows)


def _problem(candidate: Candidate) -> dict[str, str | None]:
    if candidate.failed:
        return {
            "stage": candidate.failed_stage,
            "agent": candidate.failed_agent,
            "error_class": candidate.error_class,
            "message": candidate.error_message,
        }
    return {
        "stage": Stage.score if candidate.status is Status.misaligned else "check",
        "agent": candidate.pair,
        "error_class": "Rejected",
        "message": candidate.reject_reason,
    }
