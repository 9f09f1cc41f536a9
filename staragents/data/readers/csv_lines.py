"""The lines of a CSV file, some of which are read twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


class CsvLines:
    """Iterates over lines. `row` has those since `begin`, `number` counts all."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._again: list[str] = []
        self.row: list[str] = []
        self.number = 0

    def __iter__(self) -> CsvLines:
        return self

    def __next__(self) -> str:
        line = self._again.pop() if self._again else next(self._lines)
        self.number += 1
        self.row.append(line)
        return line

    def begin(self) -> None:
        """Begin a row."""
        self.row = []

    def give_back(self, lines: Sequence[str]) -> None:
        """Read these lines, the last ones, once more."""
        self._again += reversed(lines)
        self.number -= len(lines)
