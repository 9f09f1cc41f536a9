"""JSON rows, one a line or in one array: told apart by the first character, never all in memory."""

from __future__ import annotations

import json
from collections.abc import Iterator

from staragents.rows.content import BLOCK_BYTES, Content
from staragents.rows.json_array import JsonArray
from staragents.rows.raw_row import BadRow, RawRow


def json_rows(content: Content, name: str) -> Iterator[RawRow | BadRow]:
    """The rows in order. Row numbers are line numbers in JSONL and places in an array, from 1.

    A line that is no JSON is a BadRow. Raises BadInput where an array is broken: what follows can't be told
    apart any more; `name` is the file's name in that message.
    """
    number = 0
    # An array may be a single line of any length, so its start is looked at before a whole line is read.
    while head := content.line(BLOCK_BYTES):
        number += 1
        if not head.strip():
            continue
        if head.lstrip().startswith(b"["):
            yield from JsonArray(content, head, name, number).rows()
            return
        yield decode_line(head if head.endswith(b"\n") else head + content.line(), number)
        break
    for line in content.lines():
        number += 1
        if line.strip():
            yield decode_line(line, number)


def decode_line(line: bytes, row: int) -> RawRow | BadRow:
    """A line of JSONL. Never raises, whatever the bytes."""
    try:
        return RawRow(row, json.loads(line.decode("utf-8")))
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        return BadRow(row, "row", f"expected UTF-8, got the byte {byte:#04x} at position {error.start + 1}")
    except json.JSONDecodeError as error:
        return BadRow(row, "row", f"not JSON: {error.msg} at character {error.pos + 1}")
    except (ValueError, RecursionError):
        # A number of thousands of digits, or brackets nested as deep.
        return BadRow(row, "row", "not JSON that can be read: a number too long or nesting too deep")
