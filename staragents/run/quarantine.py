"""Writes the quarantine: bad seed rows, and candidates that failed, were rejected or got no verdict."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

from staragents.base.records import Candidate, Stage, Status
from staragents.data.row_file import RowFile
from staragents.data.seed_file import SeedFile
from staragents.run_directory.run_directory import RunDirectory
from staragents.text.storable import storable

UNREADABLE = "Unreadable"
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
        RowFile(path, QUARANTINE_SCHEMA, ".parquet") as file,
    ):
        quarantine = Quarantine(file)
        quarantine.add_bad_rows(seeds)
        yield quarantine


class Quarantine:
    """One row for every bad seed row, and every candidate that failed, was rejected or got no readable
    verdict."""

    def __init__(self, file: RowFile) -> None:
        self._file = file

    @property
    def rows(self) -> int:
        """Number of rows added."""
        return self._file.rows

    def add_bad_rows(self, seeds: SeedFile) -> None:
        for file, bad in seeds.bad_rows():
            self._file.add(
                {
                    "kind": "seed",
                    "id": storable(f"{file}:{bad.row}"),
                    "row": bad.row,
                    "stage": "read",
                    "agent": None,
                    "error_class": "BadRow",
                    "message": f"{bad.problem.field}: {bad.problem.message}",
                }
            )

    def add_seed(self, candidates: list[Candidate]) -> None:
        for candidate in candidates:
            if candidate.failed or candidate.rejected or candidate.unreadable:
                self._file.add(
                    {
                        "kind": "candidate",
                        "id": candidate.candidate_id,
                        "row": candidate.seed_row,
                        **_problem(candidate),
                    }
                )


def _problem(candidate: Candidate) -> dict[str, str | None]:
    if candidate.failed:
        return {
            "stage": candidate.failed_stage,
            "agent": candidate.failed_agent,
            "error_class": candidate.error_class,
            "message": candidate.error_message,
        }
    if not candidate.rejected:
        return {
            "stage": Stage.judge,
            "agent": "judge",
            "error_class": candidate.error_class or UNREADABLE,
            "message": candidate.error_message or "the judge's verdict was unreadable",
        }
    return {
        "stage": Stage.score if candidate.status is Status.misaligned else "check",
        "agent": candidate.pair,
        "error_class": "Rejected",
        "message": candidate.reject_reason,
    }
