"""How many requests of a model may be out at once; can be made larger and smaller while they are."""

from __future__ import annotations

import asyncio
from collections import deque


class Window:
    """A semaphore whose size may change. First come, first let in; size 0 lets nobody in until it grows."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.inside = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    def resize(self, size: int) -> None:
        """Whoever is inside stays, even if that is more than `size` now."""
        self.size = size
        self._let_in()

    async def __aenter__(self) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._let_in()
        try:
            await turn
        except asyncio.CancelledError:
            # Cancelled in the moment between being let in and waking up: the place is free again.
            if turn.done() and not turn.cancelled():
                self._leave()
            raise

    async def __aexit__(self, *error: object) -> None:
        self._leave()

    def _leave(self) -> None:
        self.inside -= 1
        self._let_in()

    def _let_in(self) -> None:
        while self._waiting and self.inside < self.size:
            turn = self._waiting.popleft()
            if not turn.done():
                self.inside += 1
                turn.set_result(None)
