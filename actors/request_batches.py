"""Sends the requests that are ready at nearly the same time to a model's pool in few calls."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass, field
from typing import Any, Protocol

from actors.failure import Failure
from actors.request_messages import Answer, pack_requests, unpack_answers
from staragents.base.generation import GenerationRequest

# How long a request waits for others: a call through Serve costs 1 ms of CPU time, whatever its size.
# A candidate makes three requests in a row; each takes a model far longer.
BATCH_DELAY_S = 0.02
LARGEST = 32
"""Most requests in a call: more would save little, and lose more work with a replica."""


class One(Protocol):
    """Sends one request to a replica."""

    def remote(self, request: GenerationRequest) -> Awaitable[Answer]: ...


class Many(Protocol):
    """Sends packed requests to one replica, which returns packed answers as they are done."""

    def remote(self, requests: bytes) -> AsyncIterator[bytes]: ...


@dataclass(slots=True)
class _Asked:
    request: GenerationRequest
    answer: asyncio.Future[Answer]


@dataclass(slots=True)
class RequestBatches:
    """One model's pool, for the requests of this process.

    Requests of one call go to the same replica, so they are split evenly over `replicas`. A pool that follows
    the load has `replicas` None: its autoscaler counts calls, so each request is a call of its own.
    """

    one: One
    many: Many
    replicas: int | None
    _ready: list[_Asked] = field(default_factory=list)
    _calls: set[asyncio.Task[None]] = field(default_factory=set)

    def remote(self, request: GenerationRequest) -> asyncio.Future[Answer]:
        """The answer. Raises what a call of its own would: the error of a call is that of its unanswered
        requests. Cancelling it cancels the call when no request of the call is left.
        """
        loop = asyncio.get_running_loop()
        asked = _Asked(request, loop.create_future())
        if not self._ready:
            loop.call_later(BATCH_DELAY_S if self.replicas else 0.0, self._send)
        self._ready.append(asked)
        return asked.answer

    def _send(self) -> None:
        ready = [asked for asked in self._ready if not asked.answer.done()]
        self._ready = []
        if not ready:
            return
        size = min(LARGEST, math.ceil(len(ready) / self.replicas)) if self.replicas else 1
        for start in range(0, len(ready), size):
            batch = ready[start : start + size]
            call = asyncio.ensure_future(
                _one(self.one, batch[0]) if len(batch) == 1 else _many(self.many, batch)
            )
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)
            for asked in batch:
                asked.answer.add_done_callback(lambda _, call=call, batch=batch: _drop(call, batch))  # type: ignore[misc]


def _drop(call: asyncio.Task[None], batch: list[_Asked]) -> None:
    """Cancel a call for which nobody waits any more."""
    if not call.done() and all(asked.answer.cancelled() for asked in batch):
        call.cancel()


async def _one(pool: One, asked: _Asked) -> None:
    try:
        _answer(asked, await pool.remote(asked.request))
    except Exception as error:
        _fail([asked], error)


async def _many(pool: Many, batch: list[_Asked]) -> None:
    answers: Any = pool.remote(pack_requests([asked.request for asked in batch]))
    try:
        async for packed in answers:
            for index, answer in unpack_answers(packed):
                _answer(batch[index], answer)
        for asked in batch:
            _answer(asked, Failure("Unanswered", "the replica ended its call without an answer", True))
    except asyncio.CancelledError:
        answers.cancel()
        raise
    except Exception as error:
        _fail(batch, error)


def _answer(asked: _Asked, answer: Answer) -> None:
    # The waiting task may have been cancelled.
    if not asked.answer.done():
        asked.answer.set_result(answer)


def _fail(batch: list[_Asked], error: Exception) -> None:
    for asked in batch:
        if not asked.answer.done():
            asked.answer.set_exception(error)
