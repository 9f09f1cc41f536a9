"""One row of CSV, line by line."""

from __future__ import annotations

import csv
import re

# Otherwise an unclosed quote would read the rest of the file into one field.
MAX_FIELD_CHARACTERS = 1 << 26

_QUOTED = re.compile(r'(?:[^"]|"")*+')
_OPENING = re.compile(r' *"')


class RowScan:
    """Reads what `csv.reader` reads, also spaces between a closing quote and the next separator.

    `fields` are those that have ended. `has_quote` says whether a field without quotes holds one. `is_clean`
    is False then, and if such a field begins with a space, unless fields are `spaced`, as parts of a text do.
    `is_forgiven` says whether a quoted text holds a single quote.
    """

    def __init__(
        self, separator: str, spaced: bool, is_quoted: bool = False, is_forgiving: bool = False
    ) -> None:
        """With `is_quoted`, the first line begins within a quoted text. With `is_forgiving`, a quote that
        neither ends its text nor is written twice is a part of it."""
        self.fields: list[str] = []
        self.is_whole = False
        self.is_clean = True
        self.has_quote = False
        self.is_forgiven = False
        self._separator = separator
        self._spaced = spaced
        self._is_forgiving = is_forgiving
        self._open: list[str] | None = [] if is_quoted else None
        self._size = 0
        after = re.escape(separator)
        self._closing = re.compile(rf'" *(?=[{after}\r\n]|\Z)')
        self._bare = re.compile(rf"[^{after}\r\n]*")

    def add(self, line: str) -> bool:
        """Whether the row may continue with this line, which is so unless a quote neither ends its text nor
        is written twice. Raises csv.Error if a field is too large."""
        at = 0
        while not self.is_whole:
            opening = None if self._open is not None else _OPENING.match(line, at)
            if opening:
                self._open, self._size, at = [], 0, opening.end()
            end = self._after_bare(line, at) if self._open is None else self._after_quoted(line, at)
            if end is None:
                return False
            if self._open is not None:
                return True  # the text continues on the next line
            self.is_whole = line[end : end + 1] != self._separator
            at = end + 1
        return True

    def _after_bare(self, line: str, at: int) -> int:
        found = self._bare.match(line, at)
        assert found is not None
        text = found[0]
        self.has_quote |= '"' in text
        if self.has_quote or (text.startswith(" ") and not self._spaced):
            self.is_clean = False
        self.fields.append(text.lstrip(" "))
        return found.end()

    def _after_quoted(self, line: str, at: int) -> int | None:
        """The end of an open text or of the line. None if a quote is neither its end nor written twice."""
        assert self._open is not None
        while True:
            found = _QUOTED.match(line, at)
            assert found is not None
            at = found.end()
            self._open.append(found[0])
            self._size += len(found[0])
            if self._size > MAX_FIELD_CHARACTERS:
                raise csv.Error(f"field larger than field limit ({MAX_FIELD_CHARACTERS})")
            if at == len(line):
                return at
            if closing := self._closing.match(line, at):
                self.fields.append("".join(self._open).replace('""', '"'))
                self._open = None
                return closing.end()
            if not self._is_forgiving:
                return None
            self.is_forgiven = True
            self._open.append('"')
            at += 1
