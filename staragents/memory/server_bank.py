"""A memory bank on a Qdrant server, which a run survives."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
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
from staragents.memory.stored_seeds import EVERYTHING, StoredSeeds

logger = logging.getLogger(__name__)

T = TypeVar("T")

QUEUE_LIMIT = 4096
BATCH = 64
# Of the timeout: after a batch that took less, the next one is twice as large.
QUICK = 1 / 8
# Delay between attempts to reach an unavailable server: each may cost the caller a full timeout.
RETRY_S = 10.0


class ServerBank:
    """See `Bank`. A server that is unavailable, slow or answers nonsense never stops a run: `recall` then
    returns nothing, and `remember` queues up to `QUEUE_LIMIT` memories until the server answers again.

    After `rewind`, a resumed run sees what was committed up to that seed, except points that the size bound
    evicted later. The server says which seeds it was given, so those that waited for it when the run ended
    are known to be missing.
    """

    def __init__(self, config: MemoryConfig, run: str) -> None:
        """`run` separates this run's points from others of a shared collection."""
        self.config = config
        self.available = True
        self.queries = self.hits = self.failures = self.dropped = 0
        self.retry_s = RETRY_S
        self._collection = Collection(config, run)
        self._queue: deque[Memory] = deque()
        self._stored = StoredSeeds()
        self._rewind_to: int | None = None
        self._batch = BATCH
        self._prepared = self._created = self._accepted = False
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

    async def start_anew(self) -> None:
        self._queue.clear()
        self._rewind_to = EVERYTHING
        await self._attempt()

    async def needs_earlier_runs(self) -> bool:
        return not await self._attempt(self._has_reused)

    async def reuse(self, memories: Iterable[Memory]) -> None:
        # A memory's worth depends on those before it, so the points of an attempt that was cut short go.
        await self.start_anew()
        remaining = iter(memories)
        while some := list(islice(remaining, BATCH)):
            self._queue.extend(some)
            while self._queue:
                size = self._batch
                await self._attempt()
                if self._batch < size and not self.available:
                    self._retry_at = 0.0  # perhaps it only takes less at a time
                else:
                    self._expect_server()
        await self._attempt(self._save_reused)
        self._expect_server()

    async def remember(self, memories: Sequence[Memory]) -> None:
        self._queue.extend(memories)
        while len(self._queue) > QUEUE_LIMIT:
            if not self.dropped:
                logger.warning(
                    "memory bank %s is unavailable and %d seeds wait for it: from now on the oldest are "
                    "dropped, and it lacks their outcomes until the run is resumed",
                    self.location, QUEUE_LIMIT,
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

    async def rewind(self, order: int) -> int | None:
        self._queue = deque(memory for memory in self._queue if memory.order <= order)
        self._rewind_to = order if self._rewind_to is None else min(order, self._rewind_to)
        return await self.known()

    async def known(self) -> int | None:
        return await self._attempt(self._first_missing)

    async def count(self) -> int:
        await self._attempt(self._recount)
        return self._points

    async def memories(self) -> list[Memory]:
        return await self._attempt(self._collection.memories) or []

    async def close(self) -> None:
        """Write the queue if the server is available, then disconnect."""
        await self._attempt()
        if self._queue:
            logger.warning(
                "memory bank %s lacks %d seeds that waited for it; "
                "a resumed run adds them from its candidates",
                self.location, len(self._queue),
            )  # fmt: skip
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
            except Exception as error:
                # A run must continue without its memory, whatever a server answers that once accepted it.
                if isinstance(error, BadInput) and not self._accepted:
                    raise
                self._mark_unavailable(error)
                return None
            if not self.available:
                logger.info("memory bank %s is available again", self.location)
            self.available = True
            return result

    def _mark_unavailable(self, error: Exception) -> None:
        self.failures += 1
        # It may come back without its volume.
        self._prepared = False
        self._retry_at = time.monotonic() + self.retry_s
        if self.available:
            # Only the first line: the rest is the body of the server's response.
            reason = redacted(f"{type(error).__name__}: {error}").splitlines()[0]
            logger.warning("memory bank %s is unavailable, drawing without it: %.200s", self.location, reason)
        self.available = False

    async def _catch_up(self) -> None:
        if not self._prepared:
            self._created = self._created and await self._collection.exists()
            if not self._created:
                await self._collection.create(self._size)
                await self._recount()
                self._created = self._accepted = True
            self._stored = self._stored.found_again(await self._collection.stored())
            self._prepared = True
        if self._rewind_to is not None:
            # First what is said to be stored: it must never be more than what is.
            self._stored = self._stored.until(self._rewind_to)
            await self._collection.save(self._stored)
            await self._collection.forget_after(self._rewind_to)
            self._rewind_to = None
            await self._recount()
        # Use at most half of the timeout: the call itself needs the rest, and the next call continues here.
        deadline = time.monotonic() + self.config.timeout_s / 2
        while self._queue and time.monotonic() < deadline:
            await self._store_batch()
        # Tolerate an excess of 1 %: finding the points of least worth takes a scan, which must stay rare.
        if self._points > self.config.max_points + self.config.max_points // 100:
            await self._recount()
            if (excess := self._points - self.config.max_points) > 0:
                await self._collection.evict(excess)
                self._points -= excess

    async def _store_batch(self) -> None:
        """Store the first memories of the queue, all or none; the next time, fewer of them if this fails."""
        started, size = time.monotonic(), self._batch
        batch = list(islice(self._queue, size))
        stored = self._stored.adding(one.order for one in batch)
        self._batch = max(1, size // 2)
        await self._collection.upsert(batch, stored)
        was_quick = time.monotonic() - started < QUICK * self.config.timeout_s
        self._batch = min(BATCH, 2 * size) if was_quick else size
        self._stored = stored
        for _ in batch:
            self._queue.popleft()
        self._points += sum(bool(one.pairs) for one in batch)

    async def _first_missing(self) -> int:
        """Of what is stored or waiting."""
        return self._stored.adding(one.order for one in self._queue).first_missing

    async def _has_reused(self) -> bool:
        return self._stored.reused

    async def _save_reused(self) -> None:
        self._stored = replace(self._stored, reused=True)
        await self._collection.save(self._stored)

    def _expect_server(self) -> None:
        if not self.available:
            raise BadInput(f"memory.reuse: the memory bank {self.location} is unavailable")

    async def _recount(self) -> None:
        self._points = await self._collection.count()
