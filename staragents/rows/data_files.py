"""Any dataset as blocks of rows: JSONL, JSON, CSV, Parquet or Arrow, plain or packed, one file or many."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from io import BufferedReader
from itertools import islice
from pathlib import Path

import pyarrow as pa

from staragents.errors import BadInput
from staragents.rows.arrow_rows import MAGICS, arrow_tables, table_rows
from staragents.rows.content import BYTE_ORDER_MARK, MAX_UNPACKED_BYTES, Content, opened_bytes
from staragents.rows.csv_rows import csv_rows
from staragents.rows.data_file import DataFile
from staragents.rows.json_rows import json_rows
from staragents.rows.locations import data_files, suffix_of
from staragents.rows.raw_row import BadRow, RawRow

JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")
CSV_SUFFIXES = (".csv", ".tsv")
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
BLOCK_ROWS = 1000
HEAD_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Block:
    """Neighbouring rows of one file. `table` holds the same rows with their types where the file has them;
    `rows` may then lack columns that no conversation is made of."""

    file: str
    rows: Sequence[RawRow | BadRow]
    table: pa.Table | None = None


class DataFiles:
    """The same files give the same rows in the same order."""

    def __init__(
        self,
        path: str | Path,
        columns: Collection[str],
        limit: int | None = None,
        setting: str = "DATA",
        max_unpacked_bytes: int = MAX_UNPACKED_BYTES,
    ) -> None:
        """`columns` are those that a conversation may be made of: of Parquet, only these become rows.
        `limit` takes the first rows, bad ones counted; `setting` is where `path` stands. Raises BadInput if
        there is no such data."""
        self.path = str(path)
        self.files = data_files(self.path, setting)
        self._columns = columns
        self._limit = limit
        self._max_unpacked = max_unpacked_bytes

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

    def _file_blocks(self, file: DataFile) -> Iterator[Block]:
        with opened_bytes(file, self._max_unpacked) as stream:
            head = stream.peek(HEAD_BYTES)
            if head.startswith(MAGICS):
                first = 1
                for table in arrow_tables(stream, head, file.name, BLOCK_ROWS):
                    yield Block(file.name, table_rows(table, self._columns, first), table)
                    first += table.num_rows
                return
            rows = _text_rows(stream, head, file.name)
            while some := list(islice(rows, BLOCK_ROWS)):
                yield Block(file.name, some)


def _text_rows(stream: BufferedReader, head: bytes, name: str) -> Iterator[RawRow | BadRow]:
    """By content, except that CSV can begin with anything, and that what is named JSON is read as such."""
    suffix = suffix_of(name)
    if head.startswith(UTF_16):
        raise BadInput(f"{name}:1: expected UTF-8, got the byte order mark of UTF-16")
    if suffix in CSV_SUFFIXES:
        return csv_rows(stream, name)
    text = head.removeprefix(BYTE_ORDER_MARK).lstrip()
    if not text or text[:1] in b"[{" or suffix in JSON_SUFFIXES:
        return json_rows(Content(stream), name)
    raise BadInput(f"{name}: expected JSONL, JSON, CSV (named .csv), Parquet or Arrow, got something else")
