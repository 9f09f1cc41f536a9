"""Collects rows of a result file and writes them in groups."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Row = dict[str, Any]
ROWS_PER_GROUP = 1024


class RowGroups:
    """Passes rows to `write` in groups of `ROWS_PER_GROUP`. Call `flush` after the last one."""

    def __init__(self, write: Callable[[list[Row]], None]) -> None:
        self._write = write
        self._group: list[Row] = []

    def add(self, row: Row) -> None:
        self._group.append(row)
        if len(self._group) == ROWS_PER_GROUP:
            self.flush()

    def flush(self) -> None:
        """Write the rows since the last group, even if there are none."""
        group, self._group = self._group, []
        self._write(group)
