"""A resizable limit on a model's in-flight requests."""

from __future__ import annotations

import asyncio
from collections import deque


class InFlightLimit:
    """A FIFO semaphore that can be resized. With size 0 everyone waits until it grows."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.in_flight = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    def resize(self, size: int) -> None:
        """Requests in flight continue, even if there are more than the new `size`."""
        self.size = size
        self._admit()

    async def __aenter__(self) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        self._admit()
        try:
            await waiter
        except asyncio.CancelledError:
            # Cancelled between being admitted and waking up: free the slot again.
            if waiter.done() and not waiter.cancelled():
                self._release()
            raise

    async def __aexit__(self, *error: object) -> None:
        self._release()

    def _release(self) -> None:
        self.in_flight -= 1
        self._admit()

    def _admit(self) -> None:
        while self._waiting and self.in_flight < self.size:
            waiter = self._waiting.popleft()
            if not waiter.done():
                self.in_flight += 1
                waiter.set_result(None)
