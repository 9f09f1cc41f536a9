"""The memory bank over Qdrant: winners, found by the embedding of their seed's instruction (paper 3.3)."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from qdrant_client import AsyncQdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

from staragents.errors import BadInput
from staragents.evolution.policy import Neighbour

logger = logging.getLogger(__name__)

T = TypeVar("T")
Vector = NDArray[np.float32]

QUEUE_LIMIT = 4096
BATCH = 64
# Between two tries at a bank that is away: every try may cost the caller a whole deadline.
RETRY_S = 10.0
# A run that was killed and started again may meet its old process while that still holds the folder.
LOCK_WAIT_S = 15.0


@dataclass(frozen=True, slots=True)
class Memory:
    """A winner to remember. `order` is the place of its seed in the run, `vector` that seed's embedding."""

    point_id: str
    order: int
    seed_id: str
    pair: str
    reward: float
    vector: Vector
    domain: str | None = None


class MemoryBank:
    """A bounded collection of memories, in qdrant-client's local mode (folder or `:memory:`) or on a server.

    A bank that is away or slow never stops a run: `recall` then returns nothing, `insert` keeps its memories
    in a bounded queue until the bank is back. Nothing but BadInput is raised.

    After `rewind` a resumed run sees what was committed up to there. The exception are points that the
    size bound removed after that commit: they do not come back.
    """

    def __init__(
        self,
        collection: str,
        run: str,
        max_points: int,
        timeout_s: float,
        path: str = ":memory:",
        url: str | None = None,
        api_key: str | None = None,
        retry_s: float = RETRY_S,
    ) -> None:
        self.collection = collection
        self.run = run
        self.max_points = max_points
        self.timeout_s = timeout_s
        self.path = path
        self.url = url
        self._api_key = api_key
        self._retry_s = retry_s
        self.available = True
        self.queries = self.hits = self.failures = self.dropped = 0
        self._queue: deque[Memory] = deque()
        self._rewind_to: int | None = None
        self._prepared = False
        self._points = 0
        self._retry_at = 0.0
        self._lock = asyncio.Lock()

    async def open(self, size: int) -> None:
        """Create the collection for cosine similarity of vectors of `size`, or check the one that is there.

        Raises BadInput if that has another size, the key is refused or another process has the folder.
        """
        self._size = size
        self._client = await self._connect()
        try:
            await self._attempt()
        except BadInput:
            await self._client.close()
            raise

    async def insert(self, memory: Memory) -> None:
        """Remember a winner. The same point id again replaces the point."""
        if len(self._queue) == QUEUE_LIMIT:
            self._queue.popleft()
            self.dropped += 1
        self._queue.append(memory)
        await self._attempt()

    async def recall(self, vector: Vector, limit: int, min_similarity: float) -> list[Neighbour]:
        """The memories nearest to `vector`, the most similar first; [] if none, or the bank is away."""
        self.queries += 1
        nearest = await self._attempt(lambda: self._nearest(vector, limit))
        neighbours = [near for near in nearest or [] if near.similarity >= min_similarity]
        self.hits += bool(neighbours)
        return neighbours

    async def rewind(self, order: int) -> None:
        """Forget what this run remembered of seeds after `order`; -1 forgets all of it."""
        self._queue = deque(memory for memory in self._queue if memory.order <= order)
        self._rewind_to = order if self._rewind_to is None else min(order, self._rewind_to)
        await self._attempt()

    async def count(self) -> int:
        """Points in the collection; the last known number while the bank is away."""
        await self._attempt(self._recount)
        return self._points

    @property
    def queued(self) -> int:
        """Memories that wait for the bank."""
        return len(self._queue)

    async def close(self) -> None:
        """Write what is queued if the bank is there, and let it go."""
        await self._attempt()
        await self._client.close()

    # -- one call, and what it has to catch up with first --------------------------------------------------

    async def _attempt(self, call: Callable[[], Awaitable[T]] | None = None) -> T | None:
        """The call's result, or None while the bank is away. Everything still owed to the bank goes first."""
        async with self._lock:
            if time.monotonic() < self._retry_at:
                return None
            try:
                async with asyncio.timeout(self.timeout_s):
                    await self._catch_up()
                    result = await call() if call else None
            except BadInput:
                raise
            # Whatever a broken server answers, a run must not end for want of its memory.
            except Exception as error:
                self._went_away(error)
                return None
            if not self.available:
                logger.info("memory bank %s is back", self._place)
            self.available = True
            return result

    def _went_away(self, error: Exception) -> None:
        self.failures += 1
        self._retry_at = time.monotonic() + self._retry_s
        if self.available:
            # Only the first line: the rest is the body of somebody's answer.
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            logger.warning("memory bank %s is away, drawing without it: %.200s", self._place, reason)
        self.available = False

    async def _catch_up(self) -> None:
        if not self._prepared:
            await self._prepare()
        if self._rewind_to is not None:
            await self._forget_after(self._rewind_to)
        while self._queue:
            batch = list(self._queue)[:BATCH]
            await self._client.upsert(self.collection, [self._point(memory) for memory in batch], wait=True)
            for _ in batch:
                self._queue.popleft()
            self._points += len(batch)
        # Beyond the bound by 1 %: finding the smallest rewards takes a scan, which must stay rare.
        if self._points > self.max_points + self.max_points // 100:
            await self._recount()
            if self._points > self.max_points:
                await self._evict(self._points - self.max_points)

    async def _prepare(self) -> None:
        try:
            exists = await self._client.collection_exists(self.collection)
        except UnexpectedResponse as error:
            if error.status_code in (401, 403):
                raise BadInput(
                    f"memory.api_key_env: expected a key that {self._place} accepts, got {error.status_code}"
                ) from None
            raise
        if exists:
            self._check(await self._client.get_collection(self.collection))
        else:
            await self._client.create_collection(
                self.collection,
                vectors_config=models.VectorParams(size=self._size, distance=models.Distance.COSINE),
            )
        if self.url:
            for field, kind in (
                ("order", models.PayloadSchemaType.INTEGER),
                ("reward", models.PayloadSchemaType.FLOAT),
                ("run", models.PayloadSchemaType.KEYWORD),
            ):
                await self._client.create_payload_index(self.collection, field, field_schema=kind)
        await self._recount()
        self._prepared = True

    def _check(self, info: models.CollectionInfo) -> None:
        vectors = info.config.params.vectors
        found = (
            (vectors.size, vectors.distance.value) if isinstance(vectors, models.VectorParams) else vectors
        )
        if found != (self._size, models.Distance.COSINE.value):
            raise BadInput(
                f"memory.collection: expected vectors of size {self._size} (memory.embedder) and Cosine "
                f"in {self.collection!r} at {self._place}, got {found}"
            )

    async def _nearest(self, vector: Vector, limit: int) -> list[Neighbour]:
        answer = await self._client.query_points(
            self.collection,
            query=vector.tolist(),
            # Twice as many as asked for, then sorted: equal similarities must come in the same order in a
            # resumed run, whatever order the points lie in.
            limit=2 * limit,
            # An approximate index would let the same run recall different neighbours.
            search_params=models.SearchParams(exact=True) if self.url else None,
        )
        found = [(round(point.score, 6), point.payload or {}) for point in answer.points]
        found.sort(key=lambda near: (-near[0], -near[1]["order"]))
        return [Neighbour(payload["pair"], payload["reward"], score) for score, payload in found[:limit]]

    async def _recount(self) -> None:
        self._points = (await self._client.count(self.collection, exact=True)).count

    async def _forget_after(self, order: int) -> None:
        later = models.Filter(
            must=[
                models.FieldCondition(key="order", range=models.Range(gt=order)),
                models.FieldCondition(key="run", match=models.MatchValue(value=self.run)),
            ]
        )
        await self._client.delete(self.collection, models.FilterSelector(filter=later), wait=True)
        self._rewind_to = None
        await self._recount()

    async def _evict(self, excess: int) -> None:
        """Remove the `excess` points with the smallest rewards; among equal rewards the oldest."""
        smallest = await self._scroll("reward", excess)
        cut = smallest[-1].payload["reward"]  # type: ignore[index]
        leaving = [point.id for point in smallest if point.payload["reward"] < cut]  # type: ignore[index]
        at_cut = models.FieldCondition(key="reward", range=models.Range(gte=cut, lte=cut))
        ties = await self._scroll("order", excess - len(leaving), models.Filter(must=[at_cut]))
        leaving += [point.id for point in ties]
        await self._client.delete(self.collection, models.PointIdsList(points=leaving), wait=True)
        self._points -= len(leaving)

    async def _scroll(self, key: str, limit: int, where: models.Filter | None = None) -> list[models.Record]:
        points, _ = await self._client.scroll(
            self.collection, scroll_filter=where, order_by=models.OrderBy(key=key), limit=limit
        )
        return points

    def _point(self, memory: Memory) -> models.PointStruct:
        return models.PointStruct(
            id=memory.point_id,
            vector=memory.vector.tolist(),
            payload={
                "run": self.run,
                "order": memory.order,
                "seed_id": memory.seed_id,
                "pair": memory.pair,
                "reward": memory.reward,
                "domain": memory.domain,
            },
        )

    # -- the client -----------------------------------------------------------------------------------------

    @property
    def _place(self) -> str:
        return self.url or self.path

    async def _connect(self) -> AsyncQdrantClient:
        if self.url:
            return AsyncQdrantClient(
                url=self.url,
                api_key=self._api_key,
                timeout=math.ceil(self.timeout_s),
                # It would call the server from the constructor, without our deadline.
                check_compatibility=False,
            )
        if self.path == ":memory:":
            return AsyncQdrantClient(location=":memory:")
        give_up_at = time.monotonic() + LOCK_WAIT_S
        while True:
            try:
                return AsyncQdrantClient(path=self.path)
            except json.JSONDecodeError:
                # Killed while the file was written for the first time. The points lie in files of their
                # own and are found again when the collection is created.
                (Path(self.path) / "meta.json").unlink()
            except RuntimeError as error:
                if time.monotonic() > give_up_at:
                    raise BadInput(f"{self.path}: the memory bank is in use by another process") from error
                await asyncio.sleep(0.5)
