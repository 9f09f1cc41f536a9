"""The memory bank over Qdrant: winners, retrieved by their seed instruction's embedding (paper 3.3)."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeVar

from qdrant_client import AsyncQdrantClient, models

from staragents.base.environment import secret
from staragents.base.errors import BadInput, RunFailed
from staragents.base.redaction import redacted
from staragents.config import MemoryConfig
from staragents.memory.collection import Collection
from staragents.memory.memory import Memory, Recalled, Vector
from staragents.text.printable import one_line

logger = logging.getLogger(__name__)

T = TypeVar("T")

QUEUE_LIMIT = 4096
BATCH = 64
# Delay between attempts to reach an unavailable bank: each may cost the caller a full timeout.
RETRY_S = 10.0
# After a kill and restart, the old process may still hold the folder.
LOCK_WAIT_S = 15.0


class MemoryBank:
    """A bounded collection of memories, in qdrant-client's local mode (folder or `:memory:`) or on a server.

    An unavailable or slow server never stops a run: `recall` then returns nothing, and `insert` queues up to
    `QUEUE_LIMIT` memories until the server answers again. A failing folder does stop it: every method then
    raises RunFailed. The only other error raised is BadInput.

    After `rewind`, a resumed run sees what was committed up to that seed, except points that the size bound
    evicted later: they are not restored.
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
        self._client = await self._connect()
        name = self.config.collection or f"staragents-{self._run}"
        self._collection = Collection(self._client, name, self._run, size, self.config, self.location)
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
        nearest = await self._attempt(lambda: self._collection.nearest(vector, self.config.neighbours))
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
        return await self._attempt(self._collection.points) or []

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
                    raise self._broken(error) from error
                # A run must continue without its memory, whatever a broken server answers.
                self._mark_unavailable(error)
                return None
            if not self.available:
                logger.info("memory bank %s is available again", self.location)
            self.available = True
            return result

    def _broken(self, error: Exception) -> RunFailed:
        """A folder does not recover: its disk is full or its files are damaged. Draws would differ."""
        reason = one_line(f"{type(error).__name__}: {error}")[:200]
        return RunFailed(
            f"{self.path}: the memory bank failed ({reason}); free disk space and run the same command "
            "to resume; if its files are damaged, move them away and run: "
            f"staragents repair {Path(self.path).parent}"
        )

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
            await self._collection.prepare()
            await self._recount()
            self._prepared = True
        if self._rewind_to is not None:
            await self._collection.forget_after(self._rewind_to)
            self._rewind_to = None
            await self._recount()
        # Use at most half of the timeout: the call itself needs the rest, and the next call continues here.
        deadline = time.monotonic() + (self.config.timeout_s / 2 if self.config.url else math.inf)
        while self._queue and time.monotonic() < deadline:
            batch = list(self._queue)[:BATCH]
            await self._collection.insert(batch)
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

    # -- the client -----------------------------------------------------------------------------------------

    @property
    def location(self) -> str:
        return self.config.url or self.path

    async def _connect(self) -> AsyncQdrantClient:
        config = self.config
        if config.url:
            return AsyncQdrantClient(
                url=config.url,
                api_key=secret(config.api_key_env) if config.api_key_env else None,
                timeout=math.ceil(config.timeout_s),
                # The check would call the server from the constructor, without our timeout.
                check_compatibility=False,
            )
        if self.path == ":memory:":
            return AsyncQdrantClient(location=":memory:")
        give_up_at = time.monotonic() + LOCK_WAIT_S
        while True:
            try:
                return AsyncQdrantClient(path=self.path)
            except json.JSONDecodeError:
                # The process was killed during the first write of this file. Points are stored in separate
                # files and are found again when the collection is created.
                (Path(self.path) / "meta.json").unlink()
            except RuntimeError as error:
                if time.monotonic() > give_up_at:
                    raise BadInput(f"{self.path}: the memory bank is in use by another process") from error
                await asyncio.sleep(0.5)
            except Exception as error:  # of SQLite, pickle or the disk
                raise self._broken(error) from error
