"""Any dataset as blocks of rows: JSONL, JSON, CSV or Parquet, plain or gzip, one file or a folder of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from staragents.errors import BadInput
from staragents.rows.content import Content, opened_bytes
from staragents.rows.csv_rows import csv_rows
from staragents.rows.json_rows import json_rows
from staragents.rows.raw_row import BadRow, RawRow
from staragents.rows.row_messages import Columns

SUFFIXES = {".jsonl": "json", ".ndjson": "json", ".json": "json", ".csv": "csv", ".parquet": "parquet"}
BLOCK_ROWS = 1000


@dataclass(frozen=True, slots=True)
class Block:
    """Neighbouring rows of one file. `table` holds the same rows with their types where the file has them;
    `rows` may then lack columns that no conversation is made of."""

    file: str
    rows: Sequence[RawRow | BadRow]
    table: pa.Table | None = None


class DataFiles:
    """The same files give the same rows in the same order; of a folder, all files below it by name."""

    def __init__(self, path: str | Path, columns: Columns, limit: int | None = None) -> None:
        """`limit` takes the first rows, bad ones counted. Raises BadInput if there is no such data."""
        self.path = Path(path).expanduser()
        self.files = _files(self.path, str(path))
        self._columns = columns
        self._limit = limit

    def blocks(self) -> Iterator[Block]:
        """Raises BadInput where a file can't be read on."""
        left = self._limit
        for file in self.files:
            for block in self._file_blocks(file):
                if left is not None and len(block.rows) >= left:
                    table = None if block.table is None else block.table.slice(0, left)
                    yield Block(block.file, block.rows[:left], table)
                    return
                yield block
                if left is not None:
                    left -= len(block.rows)

    def _file_blocks(self, path: Path) -> Iterator[Block]:
        name = str(path)
        with opened_bytes(path, name) as stream:
            kind = _kind(path)
            if kind == "parquet":
                yield from self._parquet(stream, name)
                return
            rows = csv_rows(stream, name) if kind == "csv" else json_rows(Content(stream), name)
            while some := list(islice(rows, BLOCK_ROWS)):
                yield Block(name, some)

    def _parquet(self, stream: object, name: str) -> Iterator[Block]:
        try:
            file = pq.ParquetFile(stream)
            first = 1
            for batch in file.iter_batches(BLOCK_ROWS):
                table = pa.Table.from_batches([batch])
                values = table.select(self._needed(table.column_names)).to_pylist()
                yield Block(name, [RawRow(first + i, value) for i, value in enumerate(values)], table)
                first += len(values)
        except pa.ArrowException as error:
            raise BadInput(f"{name}: not Parquet that can be read: {str(error).splitlines()[0]}") from error

    def _needed(self, present: list[str]) -> list[str]:
        """All columns if none fits, so that the error can name them."""
        names = self._columns
        wanted = {names.instruction, names.input, names.response, names.messages}
        return [name for name in present if name in wanted] or present


def _files(path: Path, name: str) -> list[Path]:
    if path.is_file():
        _kind(path)
        return [path]
    if not path.is_dir():
        problem = "something that is no file" if path.exists() else "no such file"
        raise BadInput(f"DATA: expected a file, a folder or -, got {problem}: {name}")
    below = (file for file in path.rglob("*") if file.is_file() and _suffix(file) in SUFFIXES)
    files = sorted(
        file for file in below if not any(part.startswith(".") for part in file.relative_to(path).parts)
    )
    if not files:
        raise BadInput(f"DATA: expected {', '.join(SUFFIXES)} files in the folder {name}, got none")
    return files


def _kind(path: Path) -> str:
    if _suffix(path) not in SUFFIXES:
        raise BadInput(f"DATA: expected {', '.join(SUFFIXES)}, plain or .gz, got {path.name}")
    return SUFFIXES[_suffix(path)]


def _suffix(path: Path) -> str:
    """The suffix that says what is inside, without .gz."""
    return Path(path.name.lower().removesuffix(".gz")).suffix
