"""The order of windows of rows, and Ctrl-C while they are scored."""

from __future__ import annotations

import asyncio
import signal
import threading
from typing import Any

import pytest

from cluster.pools.ray_scorers import RayScorers

FACTS = {"target": {"parameters": 1, "tokenizer": "one"}}
ROWS = 3


class InterruptedPool:
    """Presses Ctrl-C in call number `press`, counted from 0."""

    def __init__(self, press: int) -> None:
        self._press = press
        self._calls = 0

    async def score(self, row: float) -> tuple[float, str]:
        if self._calls == self._press:
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)  # type: ignore[arg-type]
        self._calls += 1
        await asyncio.sleep(0)
        return row, ""


class Row:
    messages = 0.5


def scored(press: int, windows: int) -> list[Any]:
    scorers = RayScorers({"target": InterruptedPool(press)}, FACTS)  # type: ignore[dict-item]
    return list(scorers.score([Row()] * ROWS for _ in range(windows)))  # type: ignore[arg-type,misc]


@pytest.mark.parametrize("press", range(24))
def test_ctrl_c_is_a_keyboard_interrupt_whatever_is_scored_then(press: int) -> None:
    with pytest.raises(KeyboardInterrupt):
        scored(press, windows=9)


def test_windows_keep_their_order() -> None:
    assert scored(-1, windows=9) == [{"target": [0.5] * ROWS}] * 9
