"""Reads CSV with a header line. All values stay strings."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from io import TextIOWrapper
from itertools import chain
from typing import IO

from staragents.base.errors import BadInput
from staragents.data.readers.raw_row import BadRow, Problem, RawRow

# Otherwise an unclosed quote would read the rest of the file into one field.
MAX_FIELD_CHARACTERS = 1 << 26
SEPARATORS = ",\t;"


def csv_rows(stream: IO[bytes], name: str) -> Iterator[RawRow | BadRow]:
    """Rows as dicts by column name; `row` is the line on which the row starts. The separator is the comma,
    tab or semicolon, whichever is most frequent in the header.

    Raises BadInput if a column occurs twice or a quote is never closed.
    """
    csv.field_size_limit(MAX_FIELD_CHARACTERS)
    # Surrogates limit a bad byte to its row.
    text = TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
    line = 1
    try:
        first = text.readline(MAX_FIELD_CHARACTERS)
        reader = csv.reader(chain([first], text), delimiter=_separator(first))
        header = next(reader, None) if first else None
        if header is None:
            return
        if len(set(header)) < len(header):
            twice = next(column for column in header if header.count(column) > 1)
            raise BadInput(f"{name}:1: expected unique columns, got {twice!a} twice")
        line = reader.line_num + 1
        for fields in reader:
            if fields:
                yield _row(header, fields, line)
            line = reader.line_num + 1
    except csv.Error as error:
        raise BadInput(f"{name}:{line}: not CSV: {error} (is a quote never closed?)") from error
    finally:
        # The caller closes the stream.
        text.detach()


def _separator(header: str) -> str:
    return max(SEPARATORS, key=header.count)


def _row(header: list[str], fields: list[str], line: int) -> RawRow | BadRow:
    if len(fields) != len(header):
        expected = f"expected {len(header)} fields as in the header"
        return BadRow(line, Problem("row", expected, str(len(fields))))
    try:
        "".join(fields).encode()
    except UnicodeEncodeError:
        for column, value in zip(header, fields, strict=True):
            if byte := next((ord(c) - 0xDC00 for c in value if "\udc80" <= c <= "\udcff"), None):
                field = ascii(column).strip("'")
                return BadRow(line, Problem(field, "expected UTF-8", f"the byte {byte:#04x}"))
    return RawRow(line, dict(zip(header, fields, strict=True)))
