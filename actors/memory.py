"""The actor that embeds instructions and owns the memory bank, off the coordinator's event loop."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actors.embedder import Embedder
from actors.fake_embedder import FakeEmbedder
from actors.logs import configure_logs
from staragents.base.records import stable_id
from staragents.config import MemoryConfig
from staragents.evolution.policy import Outcome, RecalledOutcomes
from staragents.memory.memory import Memory
from staragents.memory.reuse import winners

logger = logging.getLogger(__name__)

# Vectors are kept from read-ahead to commit, a few hundred at a time. Only seeds that are never committed
# could add more; the limit keeps them from filling the memory of a long run.
KEPT_LIMIT = 50_000
EMBEDDER_THREADS = 1
EMBEDDING_BATCH = 256
BEFORE_THIS_RUN = -1

Item = tuple[str, str]
"""(seed id, instruction)."""
Commit = tuple[int, Item, Sequence[Outcome]]
"""(order, seed, its outcomes)."""


class MemoryActor:
    """Undecorated: `cluster.pools.pools` makes the actor, tests call it directly.

    Ray may restart it without calling `start`, so every method starts it if needed. Vectors kept before the
    restart are lost and computed again when their seeds are drawn.
    """

    def __init__(
        self,
        config: MemoryConfig,
        path: str | None,
        model_path: str | None,
        run_name: str,
        pairs: Sequence[str] = (),
    ) -> None:
        """`path`: the bank's folder in local mode, None keeps it in memory. `model_path`: the embedder's.

        Winners of `pairs` in earlier runs (`config.reuse`) are loaded into the bank.
        """
        # The driver imports this module to start the actor; qdrant-client is a fifth of its import time.
        from staragents.memory.bank import MemoryBank

        configure_logs()
        self.config = config
        self._model_path = model_path
        self._pairs = frozenset(pairs)
        self._bank = MemoryBank(config, run_name, path or ":memory:")
        self._run_name = run_name
        self._embedder: Embedder | FakeEmbedder | None = None
        self._starting = asyncio.Lock()
        self._embedding = asyncio.Lock()
        self._kept: dict[str, asyncio.Future[NDArray[np.float32] | None]] = {}

    async def start(self) -> dict[str, Any]:
        """Load the embedder and open the bank, once. Raises BadInput if either is unusable."""
        async with self._starting:
            if self._embedder is None:
                started = time.monotonic()
                embedder = await asyncio.to_thread(self._load)
                await self._bank.open(embedder.size)
                await self._reuse(embedder)
                self._embedder = embedder
                logger.info("memory opened in %.1f s: %s", time.monotonic() - started, self._bank.location)
        return {
            "embedder": self._embedder.kind,
            "size": self._embedder.size,
            "bank": "server" if self.config.url else "local",
            "points": await self._bank.count(),
        }

    async def _reuse(self, embedder: Embedder | FakeEmbedder) -> None:
        """Insert the winners of earlier runs. Ids are stable, so inserting them again changes nothing."""
        config = self.config
        if not config.reuse:
            return
        earlier = await asyncio.to_thread(
            winners, config.reuse, self._pairs, config.min_reward, config.max_points
        )
        logger.info("memory: embedding %d winners of %d earlier runs", len(earlier), len(config.reuse))
        for start in range(0, len(earlier), EMBEDDING_BATCH):
            some = earlier[start : start + EMBEDDING_BATCH]
            vectors = await asyncio.to_thread(embedder.embed, [one.instruction for one in some])
            await self._bank.load(
                [
                    Memory(
                        stable_id(self._run_name, "reuse", one.candidate_id),
                        BEFORE_THIS_RUN,
                        one.seed_id,
                        one.pair,
                        one.reward,
                        vector,
                    )
                    for one, vector in zip(some, vectors, strict=True)
                ]
            )

    def _load(self) -> Embedder | FakeEmbedder:
        if self.config.embedder == "fake" or not self._model_path:
            return FakeEmbedder()
        return Embedder(self._model_path, EMBEDDER_THREADS)

    async def embed(self, items: Sequence[Item]) -> None:
        """Embed seeds and keep the vectors until they are committed."""
        # Before the first await: a following `commit_and_recall` must find that its vector is being computed.
        loop = asyncio.get_running_loop()
        waiting = {seed_id: loop.create_future() for seed_id, _ in items}
        self._kept.update(waiting)
        while len(self._kept) > KEPT_LIMIT:
            self._kept.pop(next(iter(self._kept)))
        try:
            embedder = await self._ready()
            async with self._embedding:
                vectors = await asyncio.to_thread(embedder.embed, [text for _, text in items])
            for (seed_id, _), vector in zip(items, vectors, strict=True):
                waiting[seed_id].set_result(vector)
        except Exception as error:
            logger.warning("no embeddings for %d instructions: %s", len(items), error)
        finally:
            for future in waiting.values():
                if not future.done():
                    future.set_result(None)

    async def commit_and_recall(self, commits: Sequence[Commit], recall_for: Item | None) -> RecalledOutcomes:
        """Store the winners of committed seeds, drop their vectors, then recall outcomes for another seed.

        Idempotent: the same call again has the same effect and result.
        """
        await self._ready()
        for order, (seed_id, instruction), outcomes in commits:
            for one in outcomes:
                if not one.winner or one.reward <= self.config.min_reward:
                    continue
                vector = await self._vector(seed_id, instruction)
                if vector is not None:
                    point_id = stable_id(self._run_name, str(order), seed_id, one.pair)
                    await self._bank.insert(Memory(point_id, order, seed_id, one.pair, one.reward, vector))
            self._kept.pop(seed_id, None)
        vector = await self._vector(*recall_for) if recall_for is not None else None
        if vector is None:
            return RecalledOutcomes()
        found = await self._bank.recall(vector)
        return RecalledOutcomes(
            tuple(one.payload["seed_id"] for one in found),
            tuple(one.payload["pair"] for one in found),
            np.array([one.payload["reward"] for one in found]),
            np.array([one.similarity for one in found]),
        )

    async def _vector(self, seed_id: str, instruction: str) -> NDArray[np.float32] | None:
        if seed_id not in self._kept:
            await self.embed([(seed_id, instruction)])
        return await self._kept[seed_id]

    async def rewind(self, order: int) -> None:
        """Restore the bank to the commit of seed `order` (-1: before any) and drop all kept vectors."""
        await self._ready()
        self._kept.clear()
        await self._bank.rewind(order)

    async def stats(self) -> dict[str, Any]:
        """Size of the bank and counters of its queries."""
        bank = self._bank
        return {
            "points": await bank.count(),
            "queries": bank.queries,
            "hits": bank.hits,
            "failures": bank.failures,
            "queued": bank.queued,
            "dropped": bank.dropped,
            "available": bank.available,
            "embedder": self._embedder.kind if self._embedder else None,
        }

    async def close(self) -> None:
        """Write queued points and release the bank's folder."""
        if self._embedder is not None:
            await self._bank.close()

    async def _ready(self) -> Embedder | FakeEmbedder:
        if self._embedder is None:
            await self.start()
        assert self._embedder is not None
        return self._embedder
