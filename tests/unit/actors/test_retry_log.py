"""A storm of retries is a few lines, not one per request."""

from __future__ import annotations

import asyncio
import logging

import pytest

from actors import retry_log
from actors.retry_log import RetryLog

WINDOW_S = 0.05


async def test_a_storm_is_one_line_at_its_start_and_one_per_window(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry_log, "WINDOW_S", WINDOW_S)
    log = RetryLog(logging.getLogger("test"), "models.writer: a request is retried")
    for number in range(1000):
        log.add(f"reason {number}")
    assert caplog.messages == ["models.writer: a request is retried: reason 0"]

    await asyncio.sleep(2 * WINDOW_S)
    assert caplog.messages[1:] == [
        "models.writer: a request is retried: 999 more in the last 0 s, the latest: reason 999"
    ]

    while log._window is not None:
        await asyncio.sleep(WINDOW_S)
    assert len(caplog.messages) == 2, "quiet windows are not logged"
    log.add("later")
    assert caplog.messages[2] == "models.writer: a request is retried: later"
