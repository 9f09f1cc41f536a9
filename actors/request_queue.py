"""Queue of `scale` and `change` requests from other processes, carried out by the driver."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from uuid import uuid4


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
    """Requests are carried out one by one; each caller waits for its answer.

    A request's id is unknown to other queues: a restarted coordinator may get answers for its predecessor.
    """

    def __init__(self) -> None:
        self._asked: asyncio.Queue[tuple[str, Request]] = asyncio.Queue()
        self._answers: dict[str, asyncio.Future[Answer]] = {}

    async def ask(self, request: Request) -> Answer:
        request_id = uuid4().hex
        answer = self._answers[request_id] = asyncio.get_running_loop().create_future()
        self._asked.put_nowait((request_id, request))
        return await answer

    async def next(self) -> tuple[str, Request]:
        """Wait for the next request; return its id and the request."""
        return await self._asked.get()

    def answer(self, request_id: str, answer: Answer) -> None:
        waiting = self._answers.pop(request_id, None)
        # A restarted coordinator has lost the callers of its predecessor.
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)
