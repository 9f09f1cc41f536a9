"""Reads CSV with a header line. All values stay strings."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Collection, Iterator
from io import TextIOWrapper
from itertools import chain
from typing import IO, Any

from staragents.base.errors import BadInput
from staragents.data.readers.csv_lines import CsvLines
from staragents.data.readers.csv_recovery import CsvRecovery
from staragents.data.readers.csv_row_scan import MAX_FIELD_CHARACTERS, RowScan
from staragents.data.readers.raw_row import BadRow, Problem, RawRow

SEPARATORS = ",\t;|"
WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
"""The first bytes of Excel's own formats."""

Fields = list[str] | tuple[BadRow, ...] | None

_EXCEL = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
_QUOTED = re.compile(r'"[^"]*"')


def csv_rows(stream: IO[bytes], name: str, columns: Collection[str] = ()) -> Iterator[RawRow | BadRow]:
    """Rows as dicts by column name; `row` is the line on which the row starts. The separator is the comma,
    tab, semicolon or bar, whichever is most frequent in the header, or the one that a first line `sep=;`
    names.

    A column without a name is called `Unnamed: INDEX`, a second `NAME` is called `NAME.1`, as pandas does;
    the former is omitted where it is empty. Rows without any value are skipped; values that are missing at
    the end of a row are empty. Raises BadInput if one of `columns`, those of a conversation, occurs twice or
    a quote is never closed.
    """
    csv.field_size_limit(MAX_FIELD_CHARACTERS)
    # Surrogates limit a bad byte to its row.
    text = TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
    line = 1
    try:
        first, skipped = _first_line(text)
        named = _EXCEL.fullmatch(first)
        if named:
            first, more = _first_line(text)
            skipped += more
        separator = named[1] if named else _separator(first)
        spaced = f"{separator} " in _QUOTED.sub("", first)
        lines = CsvLines(chain([first], text))
        reader = csv.reader(lines, delimiter=separator, skipinitialspace=spaced, strict=True)
        header = next(reader, None) if first else None
        if header is None:
            return
        header = [column.strip() for column in header]
        header = _unique(header, columns, f"{name}:{skipped}")
        line = skipped + lines.number
        recovery = CsvRecovery(separator, spaced, len(header))
        before: list[str] = []
        while (fields := _next(reader, lines, recovery, before, line)) is not None:
            if isinstance(fields, tuple):
                yield from fields
            elif any(fields):
                before = fields
                yield _row(header, fields, line)
            line = skipped + lines.number
    except csv.Error as error:
        raise BadInput(f"{name}:{line}: not CSV: {error} (is a quote never closed?)") from error
    finally:
        # The caller closes the stream.
        text.detach()


def _unique(header: list[str], columns: Collection[str], place: str) -> list[str]:
    times: Counter[str] = Counter()
    found = []
    for column in header:
        if column and times[column] and column in columns:
            raise BadInput(f"{place}: expected unique columns, got {column!a} twice")
        name, number = column, times[column]
        while name and name in found:
            number = max(number, 1)
            name, number = f"{column}.{number}", number + 1
        found.append(name)
        times[column] += 1
    return found


def _next(reader: Any, lines: CsvLines, recovery: CsvRecovery, before: list[str], line: int) -> Fields:
    """The next row's values, None at the end. In a row with a quote within a quoted text, the end of the text
    can't be told: it is bad, and so are all rows that may belong to it. Raises csv.Error."""
    lines.begin()
    try:
        found: list[str] | None = next(reader, None)
        return found
    except csv.Error as error:
        if "expected after" not in str(error):
            raise
    lines.give_back(lines.row)
    lines.begin()
    start = line - lines.number - 1
    # Some writers pad columns after the quotes.
    padded = RowScan(recovery.separator, spaced=True)
    for text in lines:
        if not padded.add(text):
            break
        if padded.is_whole:
            return padded.fields
    else:
        raise csv.Error("unexpected end of data")
    lost = recovery.skip(lines, before)
    last = start + lines.number
    reason = "expected quotes within a quoted text to be written twice"
    hint = f"; what may belong to it is left out, up to line {last}" if last > line else ""
    within = f"a row that may be a part of the text in line {line}"
    others = (BadRow(start + number, Problem("row", reason, within)) for number in lost)
    return BadRow(line, Problem("row", reason, 'one " within it', hint)), *others


def _first_line(text: TextIOWrapper) -> tuple[str, int]:
    """The next line with a value, empty at the end, and the number of lines read."""
    read = 0
    while line := text.readline(MAX_FIELD_CHARACTERS):
        read += 1
        if line.strip(f"{SEPARATORS} \r\n"):
            break
    return line, read


def _separator(header: str) -> str:
    return max(SEPARATORS, key=_QUOTED.sub("", header).count)


def _row(header: list[str], fields: list[str], line: int) -> RawRow | BadRow:
    # Spreadsheets end rows with separators of empty columns.
    while len(fields) > len(header) and not fields[-1]:
        fields.pop()
    if len(fields) > len(header):
        expected = f"expected {len(header)} fields as in the header"
        return BadRow(line, Problem("row", expected, str(len(fields))))
    fields += [""] * (len(header) - len(fields))
    values = {
        column or f"Unnamed: {index}": value
        for index, (column, value) in enumerate(zip(header, fields, strict=True))
        if column or value
    }
    try:
        "".join(fields).encode()
    except UnicodeEncodeError:
        for column, value in values.items():
            if byte := next((ord(c) - 0xDC00 for c in value if "\udc80" <= c <= "\udcff"), None):
                field = ascii(column).strip("'")
                return BadRow(line, Problem(field, "expected UTF-8", f"the byte {byte:#04x}"))
    return RawRow(line, values)
