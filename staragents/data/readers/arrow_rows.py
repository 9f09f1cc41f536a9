"""Reads Parquet and Arrow files in tables of bounded size and converts their rows to Python values."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from staragents.base.errors import BadInput
from staragents.data.readers.choices import CHOICE_LETTERS
from staragents.data.readers.content import BLOCK_BYTES
from staragents.data.readers.raw_row import BadRow, Problem, RawRow
from staragents.data.readers.table_values import UNREADABLE, column_values

PARQUET_MAGIC = b"PAR1"
ARROW_FILE_MAGIC = b"ARROW1"
ARROW_STREAM_MAGIC = b"\xff\xff\xff\xff"
MAGICS = (PARQUET_MAGIC, ARROW_FILE_MAGIC, ARROW_STREAM_MAGIC)


def arrow_tables(stream: IO[bytes], head: bytes, name: str, size: int) -> Iterator[pa.Table]:
    """Tables of at most `size` rows. Raises BadInput if the file is damaged."""
    kind = "Parquet" if head.startswith(PARQUET_MAGIC) else "Arrow"
    try:
        if head.startswith(ARROW_STREAM_MAGIC):
            yield from _sliced(pa.ipc.open_stream(stream), size)
            return
        with _seekable(stream) as file:
            if kind == "Parquet":
                for batch in pq.ParquetFile(file).iter_batches(size):
                    yield pa.Table.from_batches([batch])
                return
            reader = pa.ipc.open_file(file)
            batches = (reader.get_batch(index) for index in range(reader.num_record_batches))
            yield from _sliced(batches, size)
    # A damaged length can request more memory than the machine has.
    except (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise BadInput(f"{name}: not a readable {kind} file: {reason}") from error


def check_unique(table: pa.Table, name: str) -> None:
    """Raises BadInput if a column occurs twice."""
    if twice := next((column for column, times in Counter(table.column_names).items() if times > 1), None):
        raise BadInput(f"{name}: expected unique columns, got {twice!a} twice")


def _sliced(batches: Any, size: int) -> Iterator[pa.Table]:
    for batch in batches:
        # Arrow uses the file's offsets unchecked: those of a damaged file could point anywhere in memory.
        batch.validate(full=True)
        for start in range(0, batch.num_rows, size):
            yield pa.Table.from_batches([batch.slice(start, size)])


@contextmanager
def _seekable(stream: IO[bytes]) -> Iterator[IO[bytes]]:
    """These formats need random access, so a compressed file is first copied to a temporary file."""
    if stream.seekable():
        yield stream
        return
    with tempfile.TemporaryFile() as file:
        while block := stream.read(BLOCK_BYTES):
            file.write(block)
        file.seek(0)
        yield file


def table_rows(table: pa.Table, columns: Collection[str], first: int) -> list[RawRow | BadRow]:
    """The table's rows with these columns, or with all if it has none of them; row numbers start at
    `first`."""
    if any(name in columns for name in table.column_names):
        letters = {letter for letters in CHOICE_LETTERS for letter in letters}
        table = table.select([name for name in table.column_names if name in columns or name in letters])
    table = _with_texts(table)
    try:
        rows = table.to_pylist(maps_as_pydicts="strict")
        return [RawRow(first + index, value) for index, value in enumerate(rows)]
    except UNREADABLE:
        return [_row(table.slice(index, 1), first + index) for index in range(table.num_rows)]


def _with_texts(table: pa.Table) -> pa.Table:
    """The table with text instead of bytes: not all writers say that their bytes are text."""
    for index, column in enumerate(table.schema):
        if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
            try:
                table = table.set_column(index, column.name, table[index].cast(pa.large_string()))
            except pa.ArrowInvalid:
                continue  # Not UTF-8, as of images.
    return table


def _row(one: pa.Table, number: int) -> RawRow | BadRow:
    value = {}
    for column in one.column_names:
        try:
            (value[column],) = one[column].to_pylist(maps_as_pydicts="strict")
        except UNREADABLE as error:
            if pa.types.is_temporal(one[column].type):
                (value[column],) = column_values(one[column])  # No text of a conversation.
                continue
            field = ascii(column).strip("'")
            return BadRow(number, Problem(field, "expected a readable value", ascii(str(error)[:80])))
    return RawRow(number, value)
