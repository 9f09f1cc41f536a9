"""Where a row of CSV begins again after one whose end can't be told."""

from __future__ import annotations

import csv

from staragents.data.readers.csv_lines import CsvLines
from staragents.data.readers.csv_row_scan import RowScan

LOOKAHEAD_CHARACTERS = 1 << 20
"""A text of several lines that is longer than this, and looks like rows, is rows."""


class CsvRecovery:
    """After a quote within a quoted text that is not written twice, the next line is either within the text
    or a row. Both are tried until the lines contradict one of them."""

    def __init__(self, separator: str, spaced: bool, width: int) -> None:
        """`width` is the number of columns."""
        self._separator = separator
        self._spaced = spaced
        self._width = width

    def skip(self, lines: CsvLines) -> None:
        """Skip what may belong to the row whose lines were read last, up to such a quote. Raises csv.Error if
        that can't be told."""
        bad = lines.row
        while bad:
            bad = self._skip(lines, bad)

    def _skip(self, lines: CsvLines, bad: list[str]) -> list[str]:
        """The line that can be neither within a text nor of a row, empty if the next line begins a row."""
        inside: _Rows | None = self._rows(is_quoted=True)
        outside: _Rows | None = None
        held: list[str] = []
        size = 0
        for line in lines:
            if outside is None:
                outside, held, size = self._rows(), [], 0
            held.append(line)
            size += len(line)
            if not outside.add(line):
                outside = None
            if inside is not None and not inside.add(line):
                inside = None
            if inside is None and outside is None:
                return [line]
            if inside is None and outside is not None and outside.has_row:
                lines.give_back(held)
                return []
            if inside is not None and inside.is_between and (outside is None or outside.is_between):
                return []
            if outside is not None and outside.is_between and size > LOOKAHEAD_CHARACTERS:
                break
        if held and (outside is None or not outside.is_between or not self._looks_whole(bad)):
            raise csv.Error("the end of a row can't be told after a single quote within a text")
        lines.give_back(held)
        return []

    def _rows(self, is_quoted: bool = False) -> _Rows:
        return _Rows(self._separator, self._spaced, self._width, is_quoted)

    def _looks_whole(self, bad: list[str]) -> bool:
        """Whether a row is complete if each quote that could end a text does."""
        scan = RowScan(self._separator, self._spaced, is_forgiving=True)
        return all(scan.add(line) for line in bad) and scan.is_whole and len(scan.fields) == self._width


class _Rows:
    """Rows that a program wrote, with quotes where they are needed and all fields."""

    def __init__(self, separator: str, spaced: bool, width: int, is_quoted: bool) -> None:
        """With `is_quoted`, the first line begins within a quoted text of any of the fields."""
        self._separator = separator
        self._spaced = spaced
        self._width = width
        self._least = 1 if is_quoted else width
        self._row = RowScan(separator, spaced, is_quoted)
        self.is_between = False
        self.has_row = False

    def add(self, line: str) -> bool:
        """Whether the line continues such rows."""
        row = self._row
        if not row.add(line) or not row.is_clean:
            return False
        self.is_between = row.is_whole
        if row.is_whole:
            self._row = RowScan(self._separator, self._spaced)
            return row.fields == [""] or self._is_full(row.fields)
        return True

    def _is_full(self, fields: list[str]) -> bool:
        is_full = self._least <= len(fields) and not any(fields[self._width :])
        self._least = self._width
        self.has_row = True
        return is_full
