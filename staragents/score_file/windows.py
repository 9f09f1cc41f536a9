"""Splits a dataset's rows into windows that take a few seconds each to score."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from staragents.scoring.ifd import ScoreRow

# Large windows allow better sorting by length; small ones give finer progress and lose less on a kill.
WINDOW_S = 4.0
FIRST_WINDOW, LARGEST_WINDOW = 8, 4096
WINDOW_CHARACTERS = 4_000_000


@dataclass(frozen=True, slots=True)
class _Out:
    rows: list[ScoreRow | str]
    since: float
    back_before: int


class Windows:
    """Iteration yields the valid rows of the next window. `back` completes the oldest window in flight and
    returns all its rows, bad ones as strings. Window sizes follow the measured scoring rate."""

    def __init__(self, rows: Iterator[ScoreRow | str]) -> None:
        self._rows = rows
        self._out: deque[_Out] = deque()
        self._back = 0
        self._size = FIRST_WINDOW

    def __iter__(self) -> Iterator[list[ScoreRow]]:
        while window := self._next():
            self._out.append(_Out(window, time.monotonic(), self._back))
            yield [row for row in window if isinstance(row, ScoreRow)]

    def back(self) -> list[ScoreRow | str]:
        out = self._out.popleft()
        self._back += len(out.rows)
        rate = (self._back - out.back_before) / max(1e-3, time.monotonic() - out.since)
        # At most double, as cached rows take no time and don't predict the speed of the next window.
        self._size = int(min(max(rate * WINDOW_S, FIRST_WINDOW), 2 * self._size, LARGEST_WINDOW))
        return out.rows

    def _next(self) -> list[ScoreRow | str]:
        window: list[ScoreRow | str] = []
        characters = 0
        for row in islice(self._rows, self._size):
            window.append(row)
            if isinstance(row, ScoreRow):
                characters += sum(len(text) for message in row.messages for text in message.texts)
            if characters > WINDOW_CHARACTERS:
                break
        return window
