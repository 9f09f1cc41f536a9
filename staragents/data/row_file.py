"""Writes rows as JSONL or Parquet in constant memory."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from staragents.base.messages import REASONING

ROWS_PER_GROUP = 1024


class RowFile:
    """A file of rows with the columns of a schema; Parquet has ROWS_PER_GROUP rows in a row group.

    A context manager that completes the file at the end of the block, but not after an error. Not atomic:
    write to a path of `replacing`. All methods raise OSError.
    """

    def __init__(self, path: Path, schema: pa.Schema, suffix: str) -> None:
        """`suffix` is `.parquet` or `.jsonl`, as a temporary path has neither."""
        self.rows = 0
        self._path = path
        self._schema = schema
        self._group: list[dict[str, Any]] = []
        self._first: dict[str, Any] | None = None
        self._reasoned: set[str] = set()
        self._file: IO[bytes] | pq.ParquetWriter = (
            pq.ParquetWriter(path, schema, compression="zstd") if suffix == ".parquet" else path.open("wb")
        )

    def __enter__(self) -> RowFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._write_group()
        finally:
            self._file.close()
        if error is None and self._first is not None:
            self._complete_first(self._first)

    def add(self, row: dict[str, Any]) -> None:
        """Columns that the schema lacks are ignored."""
        self.rows += 1
        self._group.append(row)
        if len(self._group) == ROWS_PER_GROUP:
            self._write_group()

    def _write_group(self) -> None:
        rows, self._group = self._group, []
        if isinstance(self._file, pq.ParquetWriter):
            self._file.write_table(pa.Table.from_pylist(rows, schema=self._schema))
            return
        for row in rows:
            columns = {name: row[name] for name in self._schema.names}
            if self._first is None:
                self._first = columns
            self._reasoned |= _reasoned(columns)
            self._file.write(_line(columns))

    def _complete_first(self, first: dict[str, Any]) -> None:
        """Give the first row of a JSONL file the key of all reasoning: `datasets` takes the keys of the first
        10 MB and fails at a new one afterwards."""
        missing = self._reasoned - _reasoned(first)
        if not missing:
            return
        completed = {name: _with_key(value) if name in missing else value for name, value in first.items()}
        copy = self._path.with_name(f"{self._path.name}.first.tmp")  # removed after a kill, too
        try:
            with self._path.open("rb") as old, copy.open("wb") as new:
                old.readline()
                new.write(_line(completed))
                shutil.copyfileobj(old, new, 1 << 20)
            os.replace(copy, self._path)
        finally:
            copy.unlink(missing_ok=True)


def _line(columns: dict[str, Any]) -> bytes:
    return json.dumps(columns, ensure_ascii=False).encode() + b"\n"


def _reasoned(columns: dict[str, Any]) -> set[str]:
    """The columns with a turn that has reasoning."""
    return {
        name
        for name, value in columns.items()
        if isinstance(value, list) and any(isinstance(turn, dict) and REASONING in turn for turn in value)
    }


def _with_key(turns: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [*turns[:-1], {**turns[-1], REASONING: None}] if turns else turns
