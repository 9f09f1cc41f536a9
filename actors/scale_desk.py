"""Between whoever asks for another size of a pool and the driver, which owns the pools and does it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import count


@dataclass(frozen=True, slots=True)
class ScaleRequest:
    """`low` to `high` replicas; 0 to 0 pauses the pool."""

    number: int
    pool: str
    low: int
    high: int


class ScaleDesk:
    """Requests are done one after the other; who asks waits for the answer."""

    def __init__(self) -> None:
        self._numbers = count()
        self._asked: asyncio.Queue[ScaleRequest] = asyncio.Queue()
        self._answers: dict[int, asyncio.Future[str]] = {}

    async def ask(self, pool: str, low: int, high: int) -> str:
        """Why it could not be done, or an empty text."""
        request = ScaleRequest(next(self._numbers), pool, low, high)
        answer = self._answers[request.number] = asyncio.get_running_loop().create_future()
        self._asked.put_nowait(request)
        return await answer

    async def next(self) -> ScaleRequest:
        """The next request, as soon as there is one."""
        return await self._asked.get()

    def answer(self, number: int, problem: str) -> None:
        waiting = self._answers.pop(number, None)
        # A restarted coordinator has lost who asked its predecessor.
        if waiting is not None and not waiting.done():
            waiting.set_result(problem)
