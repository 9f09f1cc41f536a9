"""Queue of `scale` and `change` requests from other processes, carried out by the driver."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import count


@dataclass(frozen=True, slots=True)
class ScaleRequest:
    """Resize `pool` to `low`..`high` replicas; 0 to 0 pauses it."""

    pool: str
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class ChangeRequest:
    """Change settings, given as on the command line: `a.b=c`."""

    overrides: tuple[str, ...]


Request = ScaleRequest | ChangeRequest


@dataclass(frozen=True, slots=True)
class Answer:
    """What was done or, with a nonzero exit code, why it failed."""

    lines: tuple[str, ...] = ()
    exit_code: int = 0


class RequestQueue:
    """Requests are carried out one by one; each caller waits for its answer."""

    def __init__(self) -> None:
        self._numbers = count()
        self._asked: asyncio.Queue[tuple[int, Request]] = asyncio.Queue()
        self._answers: dict[int, asyncio.Future[Answer]] = {}

    async def ask(self, request: Request) -> Answer:
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        self._asked.put_nowait((number, request))
        return await answer

    async def next(self) -> tuple[int, Request]:
        """Wait for the next request; return its number and the request."""
        return await self._asked.get()

    def answer(self, number: int, answer: Answer) -> None:
        waiting = self._answers.pop(number, None)
        # A restarted coordinator has lost the callers of its predecessor.
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)
