"""The actor that embeds instructions and owns the memory bank, off the coordinator's event loop."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actors.embedder import Embedder
from actors.fake_embedder import FakeEmbedder
from actors.logs import configure_logs
from actors.reasons import reason_of
from actors.retry_log import RetryLog
from actors.working_dir import enter_working_dir
from staragents.config import Cost, MemoryConfig
from staragents.evolution.policy import RecalledOutcomes
from staragents.memory.bank import make_bank
from staragents.memory.memory import Memory, Taught
from staragents.memory.recorded import of_earlier_runs

logger = logging.getLogger(__name__)

# Vectors are kept from read-ahead to commit, a few hundred at a time. Only seeds that are never committed
# could add more; the limit keeps them from filling the memory of a long run.
KEPT_LIMIT = 50_000
EMBEDDER_THREADS = 1
# The actor reserves no GPU, but sees its node's. There, texts of a batch change each other's vectors.
EMBEDDER_DEVICE = "cpu"

Item = tuple[str, str]
"""(seed id, instruction)."""


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
        cost: Cost = Cost.none,
    ) -> None:
        """`path`: the folder of a local bank, None keeps it in memory. `model_path`: the embedder's.

        What earlier runs (`config.reuse`) say about `pairs` is in the bank from the start; `cost` is
        `reward.cost`, by which their candidates are valued.
        """
        configure_logs()
        enter_working_dir()
        self.config = config
        self._model_path = model_path
        self._pairs = frozenset(pairs)
        self._cost = cost
        self._bank = make_bank(config, run_name, path)
        self._embedder: Embedder | FakeEmbedder | None = None
        self._starting = asyncio.Lock()
        self._embedding = asyncio.Lock()
        self._retry_log = RetryLog(logger, "the embedder failed and is tried again when a vector is needed")
        self._kept: dict[str, asyncio.Future[NDArray[np.float32] | None]] = {}

    async def start(self, anew: bool = False) -> dict[str, Any]:
        """Load the embedder and open the bank, once. Raises BadInput if either is unusable.

        `anew`: the run has no committed seed yet, so whatever the bank holds is of a discarded run.
        """
        async with self._starting:
            if self._embedder is None:
                started = time.monotonic()
                embedder = await asyncio.to_thread(self._load)
                await self._bank.open(embedder.size)
                if anew:
                    await self._bank.start_anew()
                if self.config.reuse and await self._bank.needs_earlier_runs():
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
        """Insert what earlier runs taught."""
        earlier = await asyncio.to_thread(of_earlier_runs, self._pairs, self.config, self._cost)
        logger.info("memory: embedding %d seeds of %d earlier runs", len(earlier), len(self.config.reuse))
        vectors = await asyncio.to_thread(embedder.embed, [one.instruction for one in earlier])
        await self._bank.reuse(one.memory(vector) for one, vector in zip(earlier, vectors, strict=True))

    def _load(self) -> Embedder | FakeEmbedder:
        if self.config.embedder == "fake" or not self._model_path:
            return FakeEmbedder()
        return Embedder(self._model_path, EMBEDDER_THREADS, EMBEDDER_DEVICE)

    async def embed(self, items: Sequence[Item]) -> None:
        """Embed seeds and keep the vectors until they are committed. Those that can't be embedded now are
        embedded when they are needed."""
        # Before the first await: a following `commit_and_recall` must find that its vector is being computed.
        loop = asyncio.get_running_loop()
        waiting = {seed_id: loop.create_future() for seed_id, _ in items}
        self._kept.update(waiting)
        while len(self._kept) > KEPT_LIMIT:
            self._kept.pop(next(iter(self._kept)))
        try:
            embedder = await self._ready()
            async with self._embedding:
                vectors = await asyncio.to_thread(self._embed, embedder, items)
            for (seed_id, _), vector in zip(items, vectors, strict=True):
                waiting[seed_id].set_result(vector)
        except Exception as error:
            self._retry_log.add(reason_of(error))
        finally:
            for future in waiting.values():
                if not future.done():
                    future.set_result(None)

    def _embed(self, embedder: Embedder | FakeEmbedder, items: Sequence[Item]) -> NDArray[np.float32]:
        vectors = embedder.embed([text for _, text in items])
        # Of one seed alone, the recall follows at once.
        if len(items) > 1:
            self._bank.expect([seed_id for seed_id, _ in items], vectors)
        return vectors

    async def commit_and_recall(self, commits: Sequence[Taught], recall_for: Item | None) -> RecalledOutcomes:
        """Store the outcomes of the next committed seeds, drop their vectors, then recall for another seed.

        Idempotent: the same call again has the same effect and result. Raises what the embedder raises:
        without a vector, a seed would be missing for the rest of the run.
        """
        await self._ready()
        if lacking := [(one.seed_id, one.instruction) for one in _unembedded(commits, self._kept)]:
            await self.embed(lacking)
        await self._bank.remember([await self._memory(one) for one in commits])
        for one in commits:
            self._kept.pop(one.seed_id, None)
        if recall_for is None:
            return RecalledOutcomes()
        return await self._bank.recall(await self._vector(*recall_for), recall_for[0])

    async def _memory(self, taught: Taught) -> Memory:
        return taught.memory(await self._vector(taught.seed_id, taught.instruction) if taught.pairs else None)

    async def _vector(self, seed_id: str, instruction: str) -> NDArray[np.float32]:
        """Of a seed read ahead, or embedded now. Raises what the embedder raises."""
        if (reading := self._kept.get(seed_id)) is not None and (vector := await reading) is not None:
            return vector
        embedder = await self._ready()
        async with self._embedding:
            [vector] = await asyncio.to_thread(self._embed, embedder, [(seed_id, instruction)])
        self._kept[seed_id] = asyncio.get_running_loop().create_future()
        self._kept[seed_id].set_result(vector)
        return vector

    async def rewind(self, order: int) -> int | None:
        """Restore the bank to the commit of seed `order` (-1: before any) and drop all kept vectors. Returns
        the number of seeds, from the first, that it knows: the others up to `order` are missing. None while
        its server is unavailable."""
        await self._ready()
        self._kept.clear()
        return await self._bank.rewind(order)

    async def known(self) -> int | None:
        """See `rewind`."""
        await self._ready()
        return await self._bank.known()

    async def stats(self) -> dict[str, Any]:
        """Size of the bank and counters of its queries; also while the embedder is still loading."""
        bank = self._bank
        return {
            "points": await bank.count() if self._embedder else 0,
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


def _unembedded(commits: Sequence[Taught], kept: dict[str, Any]) -> Iterator[Taught]:
    return (one for one in commits if one.pairs and one.seed_id not in kept)
