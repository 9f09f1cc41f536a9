"""Streams JSON rows from JSONL or one array, detected by the first character."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import msgspec

from staragents.data.readers.content import BLOCK_BYTES, MAX_ROW_BYTES, Content
from staragents.data.readers.json_array import JsonArray
from staragents.data.readers.raw_row import BadRow, Problem, RawRow

_fast = msgspec.json.Decoder().decode


def json_rows(content: Content, name: str) -> Iterator[RawRow | BadRow]:
    """The rows in order. Row numbers are line numbers in JSONL and element numbers in an array, from 1.

    An invalid line becomes a BadRow. An invalid array raises BadInput, as the remaining elements can't be
    separated; `name` is the file's name in that message.
    """
    number = 0
    # An array may be a single line of any length, so check its start before reading a whole line.
    while head := content.line(BLOCK_BYTES):
        number += 1
        if not head.strip():
            continue
        if head.lstrip().startswith(b"["):
            yield from JsonArray(content, head, name, number).rows()
            return
        if not head.endswith(b"\n"):
            head += content.line(MAX_ROW_BYTES)
        yield _row(content, head, number)
        break
    while line := content.line(MAX_ROW_BYTES):
        number += 1
        if not line.isspace():
            yield _row(content, line, number)


def _row(content: Content, line: bytes, number: int) -> RawRow | BadRow:
    if len(line) >= MAX_ROW_BYTES:
        if not line.endswith(b"\n"):
            content.skip_line()
        return BadRow(number, Problem("row", f"expected at most {MAX_ROW_BYTES >> 20} MiB a line", "more"))
    row = decode_line(line, number)
    if isinstance(row, BadRow) and not line.endswith(b"\n"):
        hint = f"{row.problem.hint}; the last line is incomplete: was the file still being written?"
        return BadRow(number, replace(row.problem, hint=hint))
    return row


def decode_line(line: bytes, row: int) -> RawRow | BadRow:
    """Decode a line of JSONL. Never raises."""
    try:
        return RawRow(row, _fast(line))
    except (msgspec.DecodeError, ValueError, RecursionError):
        # The standard library also accepts NaN and unpaired surrogates, and reports the position of an error.
        return _decode_slowly(line, row)


def _decode_slowly(line: bytes, row: int) -> RawRow | BadRow:
    try:
        return RawRow(row, json.loads(line.decode("utf-8")))
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        got = f"the byte {byte:#04x} at position {error.start + 1}"
        return BadRow(row, Problem("row", "expected UTF-8", got))
    except json.JSONDecodeError as error:
        return BadRow(row, Problem("row", f"not JSON: {error.msg}", hint=f" at character {error.pos + 1}"))
    except (ValueError, RecursionError):
        # A number with thousands of digits, or brackets nested that deep.
        return BadRow(row, Problem("row", "unreadable JSON: a number is too long or the nesting too deep"))
