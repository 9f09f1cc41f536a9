"""A memory bank on a Qdrant server, which a run survives."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import islice
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from staragents.base.errors import BadInput
from staragents.base.redaction import redacted
from staragents.config import MemoryConfig
from staragents.evolution.policy import RecalledOutcomes
from staragents.memory.collection import Collection
from staragents.memory.memory import Memory, Vector, recalled

logger = logging.getLogger(__name__)

T = TypeVar("T")

QUEUE_LIMIT = 4096
BATCH = 64
# Delay between attempts to reach an unavailable server: each may cost the caller a full timeout.
RETRY_S = 10.0


class ServerBank:
    """See `Bank`. A server that is unavailable, slow or answers nonsense never stops a run: `recall` then
    returns nothing, and `remember` queues up to `QUEUE_LIMIT` memories until the server answers again.

    After `rewind`, a resumed run sees what was committed up to that seed, except points that the size bound
    evicted later, and those that were queued when the run was killed.
    """

    def __init__(self, config: MemoryConfig, run: str) -> None:
        """`run` separates this run's points from others of a shared collection."""
        self.config = config
        self.available = True
        self.queries = self.hits = self.failures = self.dropped = 0
        self.retry_s = RETRY_S
        self._collection = Collection(config, run)
        self._queue: deque[Memory] = deque()
        self._rewind_to: int | None = None
        self._prepared = False
        self._points = 0
        self._retry_at = 0.0
        self._lock = asyncio.Lock()

    @property
    def location(self) -> str:
        return str(self.config.url)

    @property
    def queued(self) -> int:
        return len(self._queue)

    async def open(self, size: int) -> None:
        self._size = size
        try:
            await self._attempt()
        except BadInput:
            await self._collection.close()
            raise

    async def needs_earlier_runs(self) -> bool:
        """Always: points have stable ids, so storing them again changes nothing."""
        return True

    async def reuse(self, memories: Iterable[Memory]) -> None:
        remaining = iter(memories)
        while some := list(islice(remaining, BATCH)):
            self._queue.extend(some)
            while self._queue:
                await self._attempt()
                if not self.available:
                    raise BadInput(f"memory.reuse: the memory bank {self.location} is unavailable")

    async def remember(self, memories: Sequence[Memory]) -> None:
        self._queue.extend(one for one in memories if one.vector is not None and one.pairs)
        while len(self._queue) > QUEUE_LIMIT:
            if not self.dropped:
                logger.warning(
                    "memory bank %s is unavailable and %d seeds wait for it: from now on the oldest are "
                    "dropped, and it will not have their outcomes", self.location, QUEUE_LIMIT,
                )  # fmt: skip
            self._queue.popleft()
            self.dropped += 1
        if self._queue:
            await self._attempt()

    def expect(self, names: Sequence[str], vectors: NDArray[np.float32]) -> None:
        """The server needs no preparation."""

    async def recall(self, vector: Vector, name: str = "") -> RecalledOutcomes:
        self.queries += 1
        nearest = await self._attempt(lambda: self._collection.nearest(vector, self.config.neighbours))
        near = [found for found in nearest or [] if found[1] >= self.config.min_similarity]
        self.hits += bool(near)
        return recalled(near)

    async def rewind(self, order: int) -> None:
        self._queue = deque(memory for memory in self._queue if memory.order <= order)
        self._rewind_to = order if self._rewind_to is None else min(order, self._rewind_to)
        await self._attempt()

    async def count(self) -> int:
        await self._attempt(self._recount)
        return self._points

    async def memories(self) -> list[Memory]:
        return await self._attempt(self._collection.memories) or []

    async def close(self) -> None:
        """Write the queue if the server is available, then disconnect."""
        await self._attempt()
        await self._collection.close()

    # -- one call, after pending work --------------------------------------------------------------------

    async def _attempt(self, call: Callable[[], Awaitable[T]] | None = None) -> T | None:
        """The call's result, or None while the server is unavailable. Does pending work first."""
        async with self._lock:
            if time.monotonic() < self._retry_at:
                return None
            try:
                async with asyncio.timeout(self.config.timeout_s):
                    await self._catch_up()
                    result = await call() if call else None
            except BadInput:
                raise
            except Exception as error:
                # A run must continue without its memory, whatever a broken server answers.
                self._mark_unavailable(error)
                return None
            if not self.available:
                logger.info("memory bank %s is available again", self.location)
            self.available = True
            return result

    def _mark_unavailable(self, error: Exception) -> None:
        self.failures += 1
        self._retry_at = time.monotonic() + self.retry_s
        if self.available:
            # Only the first line: the rest is the body of the server's response.
            reason = redacted(f"{type(error).__name__}: {error}").splitlines()[0]
            logger.warning("memory bank %s is unavailable, drawing without it: %.200s", self.location, reason)
        self.available = False

    async def _catch_up(self) -> None:
        if not self._prepared:
            await self._collection.create(self._size)
            await self._recount()
            self._prepared = True
        if self._rewind_to is not None:
            await self._collection.forget_after(self._rewind_to)
            self._rewind_to = None
            await self._recount()
        # Use at most half of the timeout: the call itself needs the rest, and the next call continues here.
        deadline = time.monotonic() + self.config.timeout_s / 2
        while self._queue and time.monotonic() < deadline:
            batch = list(self._queue)[:BATCH]
            await self._collection.upsert(batch)
            for _ in batch:
                self._queue.popleft()
            self._points += len(batch)
        # Tolerate an excess of 1 %: finding the points of least worth takes a scan, which must stay rare.
        if self._points > self.config.max_points + self.config.max_points // 100:
            await self._recount()
            if (excess := self._points - self.config.max_points) > 0:
                await self._collection.evict(excess)
                self._points -= excess

    async def _recount(self) -> None:
        self._points = await self._collection.count()
