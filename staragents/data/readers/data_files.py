"""Reads a dataset as blocks of rows: JSONL, JSON, CSV, Parquet or Arrow, optionally compressed, in one or
more files."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from io import BufferedReader
from itertools import islice
from pathlib import Path

import pyarrow as pa

from staragents.base.errors import BadInput
from staragents.data.readers.arrow_rows import MAGICS, arrow_tables, check_unique, table_rows
from staragents.data.readers.content import (
    BLOCK_BYTES,
    BYTE_ORDER_MARK,
    MAX_UNPACKED_BYTES,
    Content,
    DataFile,
    opened_bytes,
)
from staragents.data.readers.csv_rows import WORKBOOKS, csv_rows
from staragents.data.readers.json_rows import json_rows
from staragents.data.readers.locations import data_files, suffix_of
from staragents.data.readers.notes import Notes
from staragents.data.readers.other_formats import other_format
from staragents.data.readers.raw_row import BadRow, RawRow
from staragents.data.readers.split_column import SplitColumn
from staragents.data.readers.unread_columns import note_of, unread_columns
from staragents.data.readers.utf8_stream import Utf8Stream

JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")
CSV_SUFFIXES = (".csv", ".tsv")
BLOCK_ROWS = 1000
HEAD_BYTES = 1 << 16
DATA, SEEDS = "DATA", "seeds.path"
"""Settings of paths beside which the encoding has a setting too."""
ENCODINGS = {DATA: "--encoding", SEEDS: "seeds.encoding"}
SEEDS_INPUT = "seeds.columns.input"
_JSON = re.compile(rb'\[?\s*\{\s*"[^"]*"\s*:')
EXPECTED = "expected JSONL, JSON, CSV (named .csv), Parquet or Arrow"


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive rows of one file. For typed files, `table` contains the same rows; `rows` may then lack
    columns that are not part of a conversation."""

    file: str
    rows: Sequence[RawRow | BadRow]
    table: pa.Table | None = None


class DataFiles:
    """The files of a dataset. The same files always give the same rows in the same order."""

    def __init__(
        self,
        path: str | Path,
        columns: Collection[str],
        limit: int | None = None,
        setting: str = DATA,
        max_unpacked_bytes: int = MAX_UNPACKED_BYTES,
        encoding: str | None = None,
        everything: bool = False,
        output: Path | None = None,
    ) -> None:
        """`columns` are the columns that a conversation may use: only these are read from Parquet. `limit` is
        a number of rows, bad rows included; `setting` names the source of `path` in messages. `encoding` is
        that of text files; None: UTF-8, or guessed where it is not. `everything` reads all splits of a folder
        or a JSON object, and what such an object has beside its rows; otherwise the one to train on. What a
        score command with this `output` has written is no data of a folder or pattern. Raises BadInput if
        there are no such files."""
        self.path = str(path)
        self.notes = Notes()
        """What a user should know about how the files were read; complete after `blocks`."""
        self.files = data_files(self.path, setting, self.notes, everything, output)
        self._encoding = encoding
        self._encoding_setting = ENCODINGS.get(setting)
        self._input_setting = SEEDS_INPUT if setting == SEEDS else "--columns input=..."
        self._columns = columns
        self._everything = everything
        self._limit = limit
        self._max_unpacked = max_unpacked_bytes

    def blocks(self) -> Iterator[Block]:
        """Raises BadInput if a file is unreadable or damaged."""
        left = self._limit
        for file in self.files:
            splits = SplitColumn()
            for index, block in enumerate(self._file_blocks(file)):
                splits.add(block.rows, block.table)
                if not index and (names := unread_columns(block.rows, block.table, self._columns)):
                    self.notes.add(block.file, note_of(names, self._input_setting))
                if left is not None and len(block.rows) >= left:
                    table = None if block.table is None else block.table.slice(0, left)
                    yield Block(block.file, block.rows[:left], table)
                    return
                yield block
                if left is not None:
                    left -= len(block.rows)
            if splits.note:
                self.notes.add(file.name, splits.note)

    def _file_blocks(self, file: DataFile) -> Iterator[Block]:
        with opened_bytes(file, self._max_unpacked) as stream:
            head = stream.peek(HEAD_BYTES)
            if head.startswith(MAGICS):
                first = 1
                for table in arrow_tables(stream, head, file.name, BLOCK_ROWS):
                    check_unique(table, file.name)
                    yield Block(file.name, table_rows(table, self._columns, first), table)
                    first += table.num_rows
                return
            if head.startswith(WORKBOOKS) and suffix_of(file.name) in CSV_SUFFIXES:
                raise BadInput(f"{file.name}: expected CSV, got an Excel workbook; export it as CSV")
            if (what := other_format(head)) is not None:
                raise BadInput(f"{file.name}: {EXPECTED}, got {what}")
            rows = self._text_rows(stream, file.name)
            while block := list(islice(rows, BLOCK_ROWS)):
                yield Block(file.name, block)

    def _text_rows(self, stream: BufferedReader, name: str) -> Iterator[RawRow | BadRow]:
        """Detect the format by content, but CSV and JSON also by suffix, as CSV can begin with nearly
        anything."""

        def told(line: str) -> None:
            self.notes.add(name, line)

        raw = Utf8Stream(stream, name, self._encoding, told, self._encoding_setting)
        stream = BufferedReader(raw, BLOCK_BYTES)
        suffix = suffix_of(name)
        text = stream.peek(HEAD_BYTES).removeprefix(BYTE_ORDER_MARK).lstrip()
        if suffix in CSV_SUFFIXES and not _JSON.match(text):
            return csv_rows(stream, name, self._columns)
        if not text or text[:1] in b"[{" or suffix in JSON_SUFFIXES:
            return json_rows(Content(stream), name, self._columns, told, self._everything)
        raise BadInput(f"{name}: {EXPECTED}, got something else")
