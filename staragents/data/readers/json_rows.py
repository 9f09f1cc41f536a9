"""Streams JSON rows from JSONL, one array or one object, detected by the beginning."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace

import msgspec

from staragents.base.errors import BadInput
from staragents.data.readers.content import BLOCK_BYTES, MAX_ROW_BYTES, Content
from staragents.data.readers.json_array import JsonArray
from staragents.data.readers.json_document import looks_like_rows, rows_of, undecided
from staragents.data.readers.raw_row import BadRow, Problem, RawRow
from staragents.data.readers.splits import HELD_OUT, split_of

_fast = msgspec.json.Decoder().decode
_value = json.JSONDecoder().raw_decode


def json_rows(
    content: Content,
    name: str,
    columns: Collection[str] = (),
    told: Callable[[str], None] = lambda line: None,
    everything: bool = False,
) -> Iterator[RawRow | BadRow]:
    """The rows in order. Row numbers are line numbers in JSONL and element numbers in an array, from 1.

    An invalid line becomes a BadRow. An invalid array raises BadInput, as the remaining elements can't be
    separated; `name` is the file's name in that message. A file that is one object may hold the rows below
    it: `columns` are those of a conversation, and `told` receives a line about where the rows were found.
    With `everything`, all of its lists of rows are read, and each other value in it is a row too.
    """
    number = 0
    # An array may be a single line of any length, so check its start before reading a whole line.
    while head := content.line(BLOCK_BYTES):
        number += 1
        if not head.strip():
            continue
        is_line = head.endswith(b"\n")
        if head.lstrip().startswith(b"[") and not (is_line and _is_list_of_lines(content, head)):
            yield from JsonArray(content, head, name, number).rows()
            return
        if not is_line:
            head += content.line(MAX_ROW_BYTES)
        content.put_back(head)
        number -= 1
        if head.lstrip().startswith(b"{") and (
            rows := _document(content, head, name, columns, told, everything)
        ):
            for row in rows:
                # A lone object is its own row, on the line where it begins.
                yield replace(row, row=row.row or number + 1)
            return
        break
    while line := content.line(MAX_ROW_BYTES):
        number += 1
        if not line.isspace():
            yield _row(content, line, number)


def _document(
    content: Content,
    first: bytes,
    name: str,
    columns: Collection[str],
    told: Callable[[str], None],
    everything: bool,
) -> Iterator[RawRow | BadRow] | None:
    """The rows of a file that is one object, or several on more than one line each; None for JSONL.

    `first` is the next line. Of JSONL, at most one more line is read.
    """
    whole_line = first.endswith(b"\n") or len(first) < MAX_ROW_BYTES
    if whole_line:
        is_value = _is_whole(first)
        if is_value is False and _are_objects(first) and not _has_more(content):
            return _values(content, name)
        if is_value is False or (is_value and (not _is_utf8(first) or _has_more(content))):
            return None
    data = content.block(MAX_ROW_BYTES)
    content.put_back(data)
    large = len(data) == MAX_ROW_BYTES
    try:
        # The end of a part may cut a character.
        value, end = _value(text := data.decode("utf-8", "ignore" if large else "strict").lstrip())
    except (ValueError, RecursionError) as error:
        if large and _has_list(data):
            return _everything(content, name) if everything else _large_document(content, name, told)
        if not whole_line or _second_line_is_json(data):
            return None
        if large:
            most = f"at most {MAX_ROW_BYTES >> 20} MiB in an object without a list of rows"
            raise BadInput(f"{name}: expected {most}, got more") from error
        # Reading it again raises BadInput with the place of the problem.
        return _values(content, name)
    if large or text[end:].strip():
        return _values(content, name)
    if everything:
        return _everything(content, name)
    found = rows_of(value, columns, name)
    if found is None:
        return iter([RawRow(0, value)])
    told(f"rows are read from {found.place}")
    return (RawRow(number, row) for number, row in enumerate(found.rows, 1))


def _values(content: Content, name: str) -> Iterator[RawRow]:
    return JsonArray(content, content.block(BLOCK_BYTES), name, 1).values()


def _everything(content: Content, name: str) -> Iterator[RawRow]:
    """All values of an object: the elements of its lists of rows, and the others as they are, without a
    number."""
    for _, values in JsonArray(content, content.block(BLOCK_BYTES), name, 1).below_object(others=True):
        for one in values:
            yield one if looks_like_rows([one.value]) else RawRow(0, one.value)


def _large_document(content: Content, name: str, told: Callable[[str], None]) -> Iterator[RawRow | BadRow]:
    """The rows of an object that is too large for memory: its first list of rows that is not held-out data.
    Raises BadInput if there is none, or a second one."""
    taken = ""
    for field, rows in JsonArray(content, content.block(BLOCK_BYTES), name, 1).below_object():
        first = next(rows, None)
        if first is not None and looks_like_rows([first.value]) and split_of(field) not in HELD_OUT:
            if taken:
                raise undecided(name, "list of rows", [taken, field])
            taken = field
            told(f"rows are read from the field {field}")
            yield first
            yield from rows
        for _ in rows:
            pass
    if not taken:
        raise BadInput(f"{name}: expected an object with a list of rows to learn from, got none")


def _has_list(data: bytes) -> bool:
    """Whether a truncated object holds a list of rows at its top level."""
    try:
        content = Content(io.BytesIO(data))
        for _, rows in JsonArray(content, content.block(BLOCK_BYTES), "", 1).below_object():
            if (first := next(rows, None)) is not None and looks_like_rows([first.value]):
                return True
            for _ in rows:
                pass
    except BadInput:
        pass
    return False


def _is_list_of_lines(content: Content, first: bytes) -> bool:
    """Whether the file has one list on each line. `first` is the line that was read last."""
    if not _is_json(first):
        return False
    second = content.line(BLOCK_BYTES)
    content.put_back(second)
    return second.lstrip().startswith(b"[")


def _are_objects(line: bytes) -> bool:
    """Whether a line holds several objects."""
    try:
        text = line.decode().strip()
        _, end = _value(text)
    except (ValueError, RecursionError):
        return False
    return text[end:].lstrip().startswith("{")


def _has_more(content: Content) -> bool:
    """Whether the next line is followed by another that is not blank."""
    lines = [content.line(MAX_ROW_BYTES)]
    while line := content.line(BLOCK_BYTES):
        lines.append(line)
        if not line.isspace():
            break
    content.put_back(b"".join(lines))
    return bool(line)


def _second_line_is_json(data: bytes) -> bool:
    lines = (line for line in data.splitlines() if not line.isspace())
    next(lines)
    return _is_json(next(lines, b""))


def _is_whole(line: bytes) -> bool | None:
    """Whether a line is one JSON value, with no regard to bytes that are not UTF-8; None if JSON on several
    lines may begin with it."""
    text = line.decode("utf-8", "replace").strip()
    try:
        _, end = _value(text)
    except json.JSONDecodeError as error:
        # A text can't contain a line break.
        return False if error.pos < len(text) or error.msg.startswith("Unterminated") else None
    except (ValueError, RecursionError):
        return False
    return bool(end == len(text))


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_json(line: bytes) -> bool:
    try:
        _fast(line)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return not isinstance(_decode_slowly(line, 0), BadRow)
    return True


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
        # Joined files have byte order marks within, and lines of an array end with commas.
        text = line.decode().removeprefix("\ufeff").rstrip()
        return RawRow(row, json.loads(text[:-1] if text.endswith("},") else text))
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        got = f"the byte {byte:#04x} at position {error.start + 1}"
        return BadRow(row, Problem("row", "expected UTF-8", got))
    except json.JSONDecodeError as error:
        return BadRow(row, Problem("row", f"not JSON: {error.msg}", hint=f" at character {error.pos + 1}"))
    except (ValueError, RecursionError):
        # A number with thousands of digits, or brackets nested that deep.
        return BadRow(row, Problem("row", "unreadable JSON: a number is too long or the nesting too deep"))
