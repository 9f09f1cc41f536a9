"""Log lines about retries: one when they begin, then one per window."""

from __future__ import annotations

import asyncio
import logging

WINDOW_S = 60.0


class RetryLog:
    """Thousands of requests may fail together: the first is logged with its reason, the others are counted
    and logged once per window. To be used in a running event loop."""

    def __init__(self, logger: logging.Logger, event: str) -> None:
        """`event`: what is retried and why, the start of a line."""
        self._logger = logger
        self._event = event
        self._more = 0
        self._latest = ""
        self._window: asyncio.TimerHandle | None = None

    def add(self, reason: str) -> None:
        """Log or count one failure that is retried."""
        if self._window is None:
            self._logger.warning("%s: %.300s", self._event, reason)
            self._begin()
        else:
            self._more += 1
            self._latest = reason

    def _begin(self) -> None:
        self._window = asyncio.get_running_loop().call_later(WINDOW_S, self._end)

    def _end(self) -> None:
        self._window = None
        if not self._more:
            return
        self._logger.warning(
            "%s: %d more in the last %.0f s, the latest: %.300s",
            self._event, self._more, WINDOW_S, self._latest,
        )  # fmt: skip
        self._more = 0
        self._begin()
