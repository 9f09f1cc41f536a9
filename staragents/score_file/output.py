"""Writes input rows with their scores to one file."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from staragents.base.errors import BadInput
from staragents.data.readers.data_files import Block, DataFiles
from staragents.data.readers.raw_row import RawRow
from staragents.data.readers.row_objects import row_object
from staragents.data.readers.table_values import table_values
from staragents.files.folders import address_problem, folder_problem
from staragents.score_file.input_columns import InputColumns, Unconvertible, holds_bytes, json_text
from staragents.score_file.parts import Parts
from staragents.score_file.score_table import PROBLEM, score_schema
from staragents.score_file.selection import LEFT_OUT
from staragents.score_file.spill import sorted_tables

SUFFIXES = (".parquet", ".jsonl", ".jsonl.gz")
ROW_GROUP_ROWS, ROW_GROUP_BYTES = 20_000, 64 << 20
_LINE = "line"


def check_output(path: Path) -> None:
    """Raises BadInput if this path can't be written. Leaves nothing on disk."""
    if problem := address_problem(path):
        raise BadInput(f"-o: {problem}")
    if not path.name.endswith(SUFFIXES):
        raise BadInput(f"-o: expected a name that ends in {', '.join(SUFFIXES)}, got {path}")
    if os.path.isdir(path):
        raise BadInput(f"-o: expected a file, got the folder {path}")
    if problem := folder_problem(path.parent):
        raise BadInput(f"-o: {problem}")


class ScoredFile:
    """Joins the input rows and their scores, in the format that the suffix of `path` names."""

    def __init__(self, path: Path, data: DataFiles, parts: Parts, roles: Sequence[str]) -> None:
        self._suffix = path.suffix
        self._data = data
        self._parts = parts
        self._scores = score_schema(roles)
        self.encoded: dict[str, None] = {}
        """Columns with bytes, which JSONL has in base64."""

    def write(self, temporary: Path, indices: np.ndarray | None, sort: bool) -> int:
        """Write all valid rows, or those with an output index, in the order of the input or, if `sort`, of
        their output indices.

        Returns their number. Raises OSError if the disk is full.
        """
        write = self._write_parquet if self._suffix == ".parquet" else self._write_jsonl
        return write(temporary, indices, sort)

    def _write_parquet(self, temporary: Path, indices: np.ndarray | None, sort: bool) -> int:
        columns = InputColumns(self._data.blocks(), without=self._scores.names)
        while True:
            schema = pa.schema([*columns.schema(), *self._scores])

            def rendered(block: Block, scores: pa.Table, schema: pa.Schema = schema) -> pa.Table:
                return pa.table([*columns.arrays(block), *scores.columns], schema=schema)

            written = 0
            try:
                with pq.ParquetWriter(temporary, schema, compression="zstd") as file:
                    for table in _row_groups(self._tables(rendered, indices, sort)):
                        file.write_table(table)
                        written += len(table)
                return written
            except Unconvertible as error:
                columns.as_text(error.column)

    def _write_jsonl(self, temporary: Path, indices: np.ndarray | None, sort: bool) -> int:
        def rendered(block: Block, scores: pa.Table) -> pa.Table:
            rows = [row_object(r.value) or {} for r in block.rows if isinstance(r, RawRow)]
            values = rows if block.table is None else table_values(block.table)
            if block.table is not None:
                types = {field.name: field.type for field in block.table.schema}
                self.encoded |= dict.fromkeys(name for name, kind in types.items() if holds_bytes(kind))
            added = scores.to_pylist()
            lines = [json_text({**row, **more}) for row, more in zip(values, added, strict=True)]
            return pa.table({_LINE: pa.array(lines, pa.large_string())})

        written = 0
        with self._opened(temporary) as file:
            for table in self._tables(rendered, indices, sort):
                for line in table[_LINE]:
                    file.write(line.as_py().encode() + b"\n")
                written += len(table)
        return written

    def _opened(self, temporary: Path) -> IO[bytes]:
        if self._suffix == ".gz":
            return gzip.open(temporary, "wb", compresslevel=6)  # type: ignore[return-value]
        return temporary.open("wb")

    def _tables(self, rendered: Any, indices: np.ndarray | None, sort: bool) -> Iterator[pa.Table]:
        kept = ((rendered(block, scores), where) for block, scores, where in self._kept(indices))
        if indices is None or not sort:
            return (table for table, _ in kept)
        return sorted_tables(kept, int(indices.max(initial=LEFT_OUT)) + 1, self._parts.folder / "sorting")

    def _kept(self, indices: np.ndarray | None) -> Iterator[tuple[Block, pa.Table, np.ndarray]]:
        """The output rows, with their scores and output indices."""
        start = 0
        reader = _PartReader(self._parts)
        for block in self._data.blocks():
            scores = reader.take(len(block.rows))
            end = start + len(block.rows)
            if indices is None:
                where = np.arange(start, end)
                keep = pc.is_null(scores[PROBLEM]).to_numpy()
            else:
                where = indices[start:end]
                keep = where != LEFT_OUT
            start = end
            chosen = np.flatnonzero(keep)
            if len(chosen):
                table = None if block.table is None else block.table.take(chosen)
                rows = [block.rows[i] for i in chosen]
                yield (
                    Block(block.file, rows, table),
                    scores.take(chosen).drop_columns([PROBLEM]),
                    where[chosen],
                )


def _row_groups(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Concatenate tables to row groups of a suitable size for Parquet."""
    waiting: list[pa.Table] = []
    for table in tables:
        waiting.append(table)
        if (
            sum(t.num_rows for t in waiting) >= ROW_GROUP_ROWS
            or sum(t.nbytes for t in waiting) >= ROW_GROUP_BYTES
        ):
            yield pa.concat_tables(waiting)
            waiting = []
    if waiting:
        yield pa.concat_tables(waiting)


class _PartReader:
    """Reads the parts in pieces of any number of rows."""

    def __init__(self, parts: Parts) -> None:
        self._tables = parts.tables()
        self._table: pa.Table | None = None

    def take(self, rows: int) -> pa.Table:
        tables = [] if self._table is None else [self._table]
        while sum(len(table) for table in tables) < rows:
            tables.append(next(self._tables))
        whole = pa.concat_tables(tables)
        self._table = whole.slice(rows)
        return whole.slice(0, rows)
