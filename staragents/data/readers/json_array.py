"""Decodes JSON of any size element by element: an array, the first list of an object, or several values."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any

from staragents.base.errors import BadInput
from staragents.data.readers.content import BLOCK_BYTES, MAX_ROW_BYTES, Content
from staragents.data.readers.raw_row import RawRow

_BLANKS = re.compile(r"[ \t\n\r]*")
# An error this close to the end of the text may be due to truncation. Unterminated strings report their
# start.
_CUT = 16


class JsonArray:
    """Buffers one block of text, or one element if that is longer. `head` was already read from `content`."""

    def __init__(self, content: Content, head: bytes, name: str, first_line: int) -> None:
        self._content = content
        self._name = name
        self._line = first_line
        self._column = 0
        self._decode = codecs.getincrementaldecoder("utf-8")().decode
        self._value = json.JSONDecoder().raw_decode
        self._text = ""
        self._at = 0
        self._ended = False
        self._append(head)

    def rows(self) -> Iterator[RawRow]:
        """Raises BadInput with file, line and column for invalid JSON, with file and line for invalid
        UTF-8."""
        yield from self._list()
        if self._next():
            raise self._broken("Extra data", self._at)

    def values(self) -> Iterator[RawRow]:
        """Values one after another, each on any number of lines. Raises BadInput like `rows`."""
        number = 0
        while self._next():
            number += 1
            yield RawRow(number, self._element())

    def below_object(self, others: bool = False) -> Iterator[tuple[str, Iterator[RawRow]]]:
        """The lists of an object by their fields, in order; read one before the next. Other values are
        skipped or, with `others`, come as lists of one, whose row is 0. Raises BadInput like `rows`."""
        self._expect("{")
        while self._next() != "}":
            field = self._element()
            self._expect(":")
            if self._next() == "[":
                yield str(field), self._list()
            else:
                value = self._element()
                if others:
                    yield str(field), iter([RawRow(0, value)])
            if self._next() != "}":
                self._expect(",")
        self._at += 1
        if self._next():
            raise self._broken("Extra data", self._at)

    def _list(self) -> Iterator[RawRow]:
        self._expect("[")
        number = 0
        if self._next() == "]":
            self._at += 1
            return
        while True:
            number += 1
            yield RawRow(number, self._element())
            if self._next() == "]":
                self._at += 1
                return
            self._expect(",")
            self._next()

    def _element(self) -> Any:
        while True:
            try:
                value, end = self._value(self._text, self._at)
            except json.JSONDecodeError as error:
                cut = error.msg.startswith("Unterminated") or error.pos + _CUT > len(self._text)
                if cut and not self._ended:
                    if len(self._text) - self._at > MAX_ROW_BYTES:
                        most = f"at most {MAX_ROW_BYTES >> 20} MiB a row"
                        raise BadInput(f"{self._name}:{self._line}: expected {most}, got more") from error
                    self._more()
                    continue
                raise self._broken(error.msg, error.pos) from error
            except (ValueError, RecursionError) as error:
                raise BadInput(
                    f"{self._name}: unreadable JSON: a number is too long or the nesting too deep"
                ) from error
            # A number near the end may continue in the next block: both 1 and 1.5e+3 are values.
            if end + _CUT > len(self._text) and not self._ended:
                self._more()
                continue
            self._at = end
            return value

    def _next(self) -> str:
        """Peek at the next non-blank character; empty at the end."""
        while True:
            match = _BLANKS.match(self._text, self._at)
            assert match is not None
            self._at = match.end()
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def _expect(self, character: str) -> None:
        if self._next() != character:
            raise self._broken(f"Expecting '{character}' delimiter", self._at)
        self._at += 1

    def _more(self) -> bool:
        """Drop consumed text and read more. The buffer doubles, so that a long element takes linear time."""
        used = self._text[: self._at]
        if newlines := used.count("\n"):
            self._line += newlines
            self._column = len(used) - used.rfind("\n") - 1
        else:
            self._column += len(used)
        self._text = self._text[self._at :]
        self._at = 0
        return self._append(self._content.block(max(BLOCK_BYTES, len(self._text))))

    def _append(self, data: bytes) -> bool:
        if self._ended:
            return False
        self._ended = not data
        try:
            self._text += self._decode(data, final=self._ended)
        except UnicodeDecodeError as error:
            line = self._line + self._text.count("\n") + error.object.count(b"\n", 0, error.start)
            byte = error.object[error.start]
            raise BadInput(f"{self._name}:{line}: expected UTF-8, got the byte {byte:#04x}") from error
        return bool(data)

    def _broken(self, message: str, position: int) -> BadInput:
        before = self._text[:position]
        line = self._line + before.count("\n")
        column = position - before.rfind("\n") + (0 if "\n" in before else self._column)
        return BadInput(f"{self._name}:{line}: not JSON: {message} at column {column}")
