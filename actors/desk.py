"""Between whoever asks something of a run that goes on and the driver, which owns the pools and does it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import count


@dataclass(frozen=True, slots=True)
class ScaleRequest:
    """`low` to `high` replicas; 0 to 0 pauses the pool."""

    pool: str
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class ChangeRequest:
    """Settings as on the command line, `a.b=c`."""

    overrides: tuple[str, ...]


Request = ScaleRequest | ChangeRequest


@dataclass(frozen=True, slots=True)
class Answer:
    """What was done, or, with an exit code other than 0, why it could not be."""

    lines: tuple[str, ...] = ()
    exit_code: int = 0


class Desk:
    """Requests are done one after the other; who asks waits for the answer."""

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
        """The next request and its number, as soon as there is one."""
        return await self._asked.get()

    def answer(self, number: int, answer: Answer) -> None:
        waiting = self._answers.pop(number, None)
        # A restarted coordinator has lost who asked its predecessor.
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)
