"""Lines of CSV read as rows, whatever they hold, and whether they are likely to be rows."""

from __future__ import annotations

from staragents.data.readers.csv_row_scan import RowScan
from staragents.data.readers.csv_whole_row import WholeRow

ROWS_PER_QUOTE = 10
"""So many full rows outweigh one with a quote as texts have them."""


class LooseRows:
    """Reads rows that a program or a person wrote, and counts what speaks for and against them."""

    def __init__(self, separator: str, spaced: bool, width: int, doubts: float) -> None:
        """`doubts` is the number of rows with such quotes before."""
        self._separator = separator
        self._spaced = spaced
        self._width = width
        self._odd = 0
        self._with_quotes = doubts
        self._read = 0
        self.full: list[int] = []
        """The index of the first line of each full row."""
        self._begin_row()

    def _begin_row(self) -> None:
        self._row = RowScan(self._separator, self._spaced, is_forgiving=True)
        self._whole = WholeRow(self._separator, self._width)
        self._begin = self._read
        self.is_between = True

    @property
    def are_likely(self) -> bool:
        """Whether these are rows, not lines of a text: a line of a text is rarely a full row without spaces
        after its separators."""
        if not self.is_between:
            return False
        return self._odd <= max(len(self.full), 1) and self._with_quotes * ROWS_PER_QUOTE <= len(self.full)

    def add(self, line: str) -> None:
        row = self._row
        self._read += 1
        row.add(line)
        if self._whole.add(line) and row.is_forgiven:
            self._begin_row()  # a bad row says nothing
        elif row.is_whole:
            self._count(row)
            self._begin_row()
        else:
            self.is_between = False

    def end(self) -> None:
        """End a row that is not whole."""
        if not self.is_between:
            self._with_quotes += 1
            self._begin_row()

    def _count(self, row: RowScan) -> None:
        if row.fields == [""]:
            return
        if row.has_quote or row.is_forgiven:
            self._with_quotes += 1
        elif row.is_clean and len(row.fields) >= self._width and not any(row.fields[self._width :]):
            self.full.append(self._begin)
        else:
            self._odd += 1
