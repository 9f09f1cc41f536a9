"""The memory bank over Qdrant: winners, retrieved by their seed instruction's embedding (paper 3.3)."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from qdrant_client import models

from staragents.base.errors import BadInput
from staragents.base.redaction import redacted
from staragents.config import MemoryConfig
from staragents.memory.memory import Memory, Recalled, Vector
from staragents.memory.storage import broken, connect, create

logger = logging.getLogger(__name__)

T = TypeVar("T")

QUEUE_LIMIT = 4096
BATCH = 64
# Delay between attempts to reach an unavailable bank: each may cost the caller a full timeout.
RETRY_S = 10.0
# Number of nearest points searched for another memory of the same pair.
NEAR = 8
PAGE = 1000


class MemoryBank:
    """A bounded collection of memories, in qdrant-client's local mode (folder or `:memory:`) or on a server.

    An unavailable or slow server never stops a run: `recall` then returns nothing, and `insert` queues up to
    `QUEUE_LIMIT` memories until the server answers again. A failing folder does stop it: every method then
    raises RunFailed. The only other error raised is BadInput.

    After `rewind`, a resumed run sees what was committed up to that seed, except points that the size bound
    evicted later: they are not restored. On a server, several runs may share a collection.
    """

    def __init__(self, config: MemoryConfig, run: str, path: str = ":memory:") -> None:
        """`run` separates this run's points from others on a server; `path` is the folder of local mode."""
        self.config = config
        self.path = path
        self.available = True
        self.queries = self.hits = self.failures = self.dropped = 0
        self.retry_s = RETRY_S
        # A folder belongs to one run, even after it was moved.
        self._run = run if config.url else "local"
        # Local mode has one folder per run and no filter, which would scan every payload for every query.
        self._ours = models.Filter(must=[_is("run", self._run)]) if config.url else None
        self._name = config.collection or f"staragents-{self._run}"
        self._queue: deque[Memory] = deque()
        self._rewind_to: int | None = None
        self._prepared = False
        self._points = 0
        self._retry_at = 0.0
        self._lock = asyncio.Lock()

    async def open(self, size: int) -> None:
        """Create the collection for unit vectors of `size`, or check an existing one.

        Raises BadInput if its vector size differs, the key is refused or another process holds the folder.
        """
        self._client = await connect(self.config, self.path)
        self._size = size
        try:
            await self._attempt()
        except BadInput:
            await self._client.close()
            raise

    async def insert(self, memory: Memory) -> None:
        """Store a winner, replacing a point with the same id."""
        if len(self._queue) == QUEUE_LIMIT:
            self._queue.popleft()
            self.dropped += 1
        self._queue.append(memory)
        await self._attempt()

    async def load(self, memories: Sequence[Memory]) -> None:
        """Store many memories without a time limit. Raises BadInput if the bank is unavailable."""
        for start in range(0, len(memories), BATCH):
            self._queue.extend(memories[start : start + BATCH])
            while self._queue:
                await self._attempt()
                if not self.available:
                    raise BadInput(f"memory.reuse: the memory bank {self.location} is unavailable")

    async def recall(self, vector: Vector) -> list[Recalled]:
        """Memories nearest to `vector`, most similar first; [] if none or the bank is unavailable."""
        self.queries += 1
        nearest = await self._attempt(lambda: self._nearest(vector, self.config.neighbours))
        near = [found for found in nearest or [] if found.similarity >= self.config.min_similarity]
        self.hits += bool(near)
        return near

    async def rewind(self, order: int) -> None:
        """Forget this run's memories of seeds after `order`; -1 forgets all that it won itself."""
        self._queue = deque(memory for memory in self._queue if memory.order <= order)
        self._rewind_to = order if self._rewind_to is None else min(order, self._rewind_to)
        await self._attempt()

    async def count(self) -> int:
        """Number of points of this run; the last known number while the bank is unavailable."""
        await self._attempt(self._recount)
        return self._points

    async def points(self) -> list[models.Record]:
        """All points of this run with their vectors; [] while the bank is unavailable."""
        return await self._attempt(self._all_points) or []

    @property
    def location(self) -> str:
        """The server's address or the folder."""
        return self.config.url or self.path

    @property
    def queued(self) -> int:
        """Memories waiting to be written."""
        return len(self._queue)

    async def close(self) -> None:
        """Write the queue if the bank is available, then disconnect."""
        await self._attempt()
        await self._client.close()

    # -- one call, after pending work -----------------------------------------------------------------------

    async def _attempt(self, call: Callable[[], Awaitable[T]] | None = None) -> T | None:
        """The call's result, or None while the bank is unavailable. Does pending work first."""
        async with self._lock:
            if time.monotonic() < self._retry_at:
                return None
            try:
                async with asyncio.timeout(self.config.timeout_s if self.config.url else None):
                    await self._catch_up()
                    result = await call() if call else None
            except BadInput:
                raise
            except Exception as error:
                if not self.config.url:
                    raise broken(self.path, error) from error
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
            await create(self._client, self._name, self._size, self.config, self.location)
            await self._recount()
            self._prepared = True
        if self._rewind_to is not None:
            await self._forget_after(self._rewind_to)
            self._rewind_to = None
            await self._recount()
        # Use at most half of the timeout: the call itself needs the rest, and the next call continues here.
        deadline = time.monotonic() + (self.config.timeout_s / 2 if self.config.url else math.inf)
        while self._queue and time.monotonic() < deadline:
            batch = list(self._queue)[:BATCH]
            await self._upsert(batch)
            for _ in batch:
                self._queue.popleft()
            self._points += len(batch)
        # Tolerate an excess of 1 %: finding the points of least worth takes a scan, which must stay rare.
        if self._points > self.config.max_points + self.config.max_points // 100:
            await self._recount()
            if (excess := self._points - self.config.max_points) > 0:
                await self._evict(excess)
                self._points -= excess

    async def _recount(self) -> None:
        counted = await self._client.count(self._name, count_filter=self._ours, exact=True)
        self._points = counted.count

    # -- the collection, without fault handling -------------------------------------------------------------

    async def _upsert(self, memories: Sequence[Memory]) -> None:
        """Insert points, replacing those with the same id."""
        novelties = await self._novelties(memories)
        points = [one.point(self._run, novelty) for one, novelty in zip(memories, novelties, strict=True)]
        await self._client.upsert(self._name, points, wait=True)

    async def _nearest(self, vector: Vector, limit: int) -> list[Recalled]:
        """The `limit` points nearest to `vector`, in a deterministic order."""
        answer = await self._client.query_points(
            self._name,
            query=vector,  # an array: local mode would convert a list to float64, four times slower
            # Twice as many as requested, so that ties are broken the same way whatever the storage order.
            limit=2 * limit,
            query_filter=self._ours,
            search_params=models.SearchParams(exact=self.config.exact) if self.config.url else None,
        )
        return sorted(map(Recalled.read, answer.points), key=lambda found: found.sort_key)[:limit]

    async def _forget_after(self, order: int) -> None:
        """Remove this run's points of seeds after `order`."""
        later = models.FieldCondition(key="order", range=models.Range(gt=order))
        where = models.Filter(must=[later, _is("run", self._run)])
        await self._client.delete(self._name, models.FilterSelector(filter=where), wait=True)

    async def _evict(self, excess: int) -> None:
        """Remove the `excess` points of the smallest worth, the oldest first among equals."""
        smallest = await self._ordered("worth", excess)
        cut = smallest[-1].payload["worth"]  # type: ignore[index]
        evicted = [point.id for point in smallest if point.payload["worth"] < cut]  # type: ignore[index]
        at_cut = models.FieldCondition(key="worth", range=models.Range(gte=cut, lte=cut))
        evicted += [point.id for point in await self._ordered("order", excess - len(evicted), at_cut)]
        await self._client.delete(self._name, models.PointIdsList(points=evicted), wait=True)

    async def _all_points(self) -> list[models.Record]:
        """All points with their vectors, fetched page by page."""
        found: list[models.Record] = []
        offset: Any = None
        while True:
            page, offset = await self._client.scroll(
                self._name, scroll_filter=self._ours, limit=PAGE, offset=offset, with_vectors=True
            )
            found += page
            if offset is None:
                return found

    async def _novelties(self, memories: Sequence[Memory]) -> list[float]:
        """1 - the largest cosine to another memory of the same pair, in the bank or earlier in `memories`."""
        vectors = np.array([one.vector for one in memories])
        between = vectors @ vectors.T
        nearby = await asyncio.gather(*(self._nearest(one.vector, NEAR) for one in memories))
        novelties = []
        for index, (memory, found) in enumerate(zip(memories, nearby, strict=True)):
            near = [
                one.similarity
                for one in found
                if one.payload["pair"] == memory.pair and one.point_id != memory.point_id
            ]
            near += [
                float(between[index, other])
                for other in range(index)
                if memories[other].pair == memory.pair and memories[other].point_id != memory.point_id
            ]
            novelties.append(min(max(1.0 - max(near, default=0.0), 0.0), 1.0))
        return novelties

    async def _ordered(self, key: str, limit: int, *conditions: models.FieldCondition) -> list[models.Record]:
        if self._ours:
            conditions = (*conditions, _is("run", self._run))
        points, _ = await self._client.scroll(
            self._name,
            scroll_filter=models.Filter(must=[*conditions]) if conditions else None,
            order_by=models.OrderBy(key=key),
            limit=limit,
        )
        return points


def _is(field: str, value: str) -> models.FieldCondition:
    return models.FieldCondition(key=field, match=models.MatchValue(value=value))
