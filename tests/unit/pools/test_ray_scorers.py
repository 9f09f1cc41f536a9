"""The order of windows of rows, and Ctrl-C while they are scored."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import pytest

from cluster.pools.ray_scorers import WINDOWS_IN_FLIGHT, RayScorers

FACTS = {"target": {"parameters": 1, "tokenizer": "one"}}
ROWS = 3


class InterruptedPool:
    """Presses Ctrl-C in call number `press`, counted from 0."""

    def __init__(self, press: int) -> None:
        self._press = press
        self._calls = 0

    async def score(self, row: int) -> tuple[int, str]:
        if self._calls == self._press:
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)  # type: ignore[arg-type]
        self._calls += 1
        await asyncio.sleep(0)
        return row, ""


class BackwardPool:
    """Finishes the rows of WINDOWS_IN_FLIGHT windows from the last to the first."""

    def __init__(self) -> None:
        self._finished: defaultdict[int, asyncio.Event] = defaultdict(asyncio.Event)

    async def score(self, row: int) -> tuple[int, str]:
        if (row + 1) % (WINDOWS_IN_FLIGHT * ROWS):
            await self._finished[row + 1].wait()
        self._finished[row].set()
        return row, ""


@dataclass(frozen=True)
class Row:
    messages: int


def scored(pool: Any, windows: int) -> list[Any]:
    """The rows are numbered in order."""
    numbers = [range(start, start + ROWS) for start in range(0, windows * ROWS, ROWS)]
    scorers = RayScorers({"target": pool}, FACTS)
    return list(scorers.score([Row(number) for number in window] for window in numbers))  # type: ignore[misc]


@pytest.mark.parametrize("press", range(24))
def test_ctrl_c_is_a_keyboard_interrupt_whatever_is_scored_then(press: int) -> None:
    with pytest.raises(KeyboardInterrupt):
        scored(InterruptedPool(press), windows=9)


def test_windows_and_their_rows_keep_their_order_whichever_finish_first() -> None:
    windows = 2 * WINDOWS_IN_FLIGHT
    expected = [{"target": [*range(start, start + ROWS)]} for start in range(0, windows * ROWS, ROWS)]
    assert scored(BackwardPool(), windows) == expected
