"""Where a row of CSV begins again after one whose end can't be told."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from math import inf

from staragents.data.readers.csv_lines import CsvLines
from staragents.data.readers.csv_loose_rows import LooseRows
from staragents.data.readers.csv_row_scan import RowScan
from staragents.data.readers.csv_whole_row import WholeRow

LOOKAHEAD_CHARACTERS = 1 << 20
"""A text of several lines that is longer than this, and looks like rows, is rows."""


class CsvRecovery:
    """After a quote within a quoted text that is not written twice, the next line is either within the text
    or a row. Both are tried until the lines contradict one of them.

    If the bad row looks whole, a few lines that no program writes as rows do not contradict that rows follow
    it: most lines decide.
    """

    def __init__(self, separator: str, spaced: bool, width: int) -> None:
        """`width` is the number of columns."""
        self.separator = separator
        self._spaced = spaced
        self._width = width

    def skip(self, lines: CsvLines, before: Iterable[str]) -> list[int]:
        """Skip what may belong to the row whose lines were read last, up to such a quote; `before` has the
        values of the row before it. Returns the numbers of skipped lines that may as well be rows. Raises
        csv.Error if that can't be told."""
        self._spaced |= any(value.startswith(" ") for value in before)
        lost: list[int] = []
        doubts = self._doubts(lines.row)
        while (line := self._skip(lines, doubts, lost)) is not None:
            doubts = min(self._doubts([line]), self._doubts([line], is_tail=True))
        return lost

    def _skip(self, lines: CsvLines, doubts: float, lost: list[int]) -> str | None:
        """The line that can be neither within a text nor of a row, None if the next line begins a row."""
        inside: _Rows | None = self._rows(is_quoted=True)
        outside: _Rows | None = None
        all_rows = LooseRows(self.separator, self._spaced, self._width, doubts)
        before = lines.number
        since: list[str] = []
        size = begin = begin_size = end = 0
        for line in lines:
            if outside is None:
                outside, begin, begin_size = self._rows(), len(since), size
            since.append(line)
            size += len(line)
            all_rows.add(line)
            if not outside.add(line):
                outside = None
            if inside is not None and not inside.add(line):
                inside = None
            if inside is not None and inside.is_between:
                end = end or len(since)
            if inside is None and outside is None:
                number = len(since)
                if doubts < inf and self._are_likely(all_rows, lines, since):
                    lines.give_back(since)
                    return None
                lines.give_back(since[number:])
                lost += [before + 1 + index for index in all_rows.full if index < number - 1]
                return line
            if inside is None and outside is not None and outside.has_row:
                begin = 0 if all_rows.are_likely else begin
                lines.give_back(since[begin:])
                lost += [before + 1 + index for index in all_rows.full if index < begin]
                return None
            if inside is not None and inside.is_between and (outside is None or outside.is_between):
                if outside is None and not all_rows.are_likely:
                    # The text has ended; rows may have followed it.
                    lines.give_back(since[end:])
                else:
                    lost += [before + 1 + index for index in all_rows.full]
                return None
            if size > LOOKAHEAD_CHARACTERS and all_rows.are_likely:
                break
            if outside is not None and outside.is_between and size - begin_size > LOOKAHEAD_CHARACTERS:
                break
        else:
            if inside is not None and inside.is_between:
                lines.give_back(since[end:])
                return None
        if since and not all_rows.are_likely:
            raise csv.Error("the end of a row can't be told after a single quote within a text")
        lines.give_back(since)
        return None

    def _rows(self, is_quoted: bool = False) -> _Rows:
        return _Rows(self.separator, self._spaced, self._width, is_quoted)

    def _are_likely(self, rows: LooseRows, lines: CsvLines, since: list[str]) -> bool:
        """Whether the lines since the bad row are rows. Reads the last one to its end."""
        size = 0
        while (
            not rows.is_between and size <= LOOKAHEAD_CHARACTERS and (line := next(lines, None)) is not None
        ):
            since.append(line)
            size += len(line)
            rows.add(line)
        rows.end()
        return rows.are_likely

    def _doubts(self, bad: list[str], is_tail: bool = False) -> float:
        """What speaks against that rows follow these lines: nothing if they may be whole, little if they are
        a row with quotes as texts have them."""
        whole = WholeRow(self.separator, self._width, is_tail)
        if [whole.add(line) for line in bad][-1]:
            return 0
        row = RowScan(self.separator, self._spaced)
        is_row = all(row.add(line) for line in bad) and row.is_whole and len(row.fields) == self._width
        return 1 if is_row else inf


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
