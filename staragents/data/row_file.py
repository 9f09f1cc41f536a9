"""Writes rows as JSONL or Parquet in constant memory."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

ROWS_PER_GROUP = 1024


class RowFile:
    """A file of rows with the columns of a schema; Parquet has ROWS_PER_GROUP rows in a row group.

    A context manager that completes the file at the end of the block, but not after an error. Not atomic:
    write to a path of `replacing`. All methods raise OSError.
    """

    def __init__(self, path: Path, schema: pa.Schema, suffix: str) -> None:
        """`suffix` is `.parquet` or `.jsonl`, as a temporary path has neither."""
        self.rows = 0
        self._schema = schema
        self._group: list[dict[str, Any]] = []
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
            self._file.write(json.dumps(columns, ensure_ascii=False).encode() + b"\n")
