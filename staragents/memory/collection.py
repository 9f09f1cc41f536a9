"""A bank's collection on a Qdrant server, without fault handling."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from qdrant_client import AsyncQdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

from staragents.base.environment import secret
from staragents.base.errors import BadInput
from staragents.base.loopback import is_on_loopback
from staragents.base.records import stable_id
from staragents.config import MemoryConfig, Quantization
from staragents.memory.eviction import NEAR, worth
from staragents.memory.memory import DIGITS, Memory, Vector
from staragents.memory.stored_seeds import StoredSeeds

# Cosine of unit vectors.
DISTANCE = models.Distance.DOT
SAME = {models.Distance.DOT.value, models.Distance.COSINE.value}
INDEXES = {
    "run": models.PayloadSchemaType.KEYWORD,
    "order": models.PayloadSchemaType.INTEGER,
    "worth": models.PayloadSchemaType.FLOAT,
}
PAGE = 1000
# Requested beyond the limit, so that ties are broken the same way whatever the storage order.
MORE = 16

Found = tuple[Memory, float]
"""A memory without its vector, and its cosine."""


class Collection:
    """One run's points in a collection that several runs may share: one point per seed, and one that says
    which seeds were stored (`StoredSeeds`).

    Raises what qdrant-client raises.
    """

    def __init__(self, config: MemoryConfig, run: str) -> None:
        assert config.url is not None
        self._config = config
        self._run = run
        self._name = config.collection or f"staragents-{run}"
        self._ours = models.Filter(must=[_is("run", run)])
        self._stored_id = stable_id(run, "stored seeds")
        self._client = AsyncQdrantClient(
            url=config.url,
            api_key=secret(config.api_key_env) if config.api_key_env else None,
            timeout=math.ceil(config.timeout_s),
            # The check would call the server from the constructor, without our timeout.
            check_compatibility=False,
            # Without the proxies of the environment, which may not reach this machine.
            trust_env=not is_on_loopback(config.url),
        )

    async def create(self, size: int) -> None:
        """Create the collection for unit vectors of `size`, or check an existing one.

        Raises BadInput if its vector size or distance differs, or if the server refuses the key.
        """
        self._size = size
        try:
            exists = await self.exists()
        except UnexpectedResponse as error:
            if error.status_code in (401, 403):
                raise BadInput(
                    f"memory.api_key_env: expected a key that {self._config.url} accepts, "
                    f"got {error.status_code}"
                ) from None
            raise
        if exists:
            self._check(await self._client.get_collection(self._name), size)
        else:
            await self._client.create_collection(self._name, vectors_config=_parameters(size, self._config))
        for field, kind in INDEXES.items():
            await self._client.create_payload_index(self._name, field, field_schema=kind)

    async def exists(self) -> bool:
        return await self._client.collection_exists(self._name)

    def _check(self, info: models.CollectionInfo, size: int) -> None:
        vectors = info.config.params.vectors
        single = isinstance(vectors, models.VectorParams)
        found = (vectors.size, vectors.distance.value) if single else vectors  # type: ignore[union-attr]
        if found not in [(size, distance) for distance in SAME]:
            raise BadInput(
                f"memory.collection: expected vectors of size {size} (memory.embedder) and "
                f"{DISTANCE.value} or Cosine in {self._name!r} at {self._config.url}, got {found}"
            )

    async def count(self) -> int:
        return (await self._client.count(self._name, count_filter=self._ours, exact=True)).count

    async def stored(self) -> StoredSeeds:
        """As saved with the last points."""
        for point in await self._client.retrieve(self._name, [self._stored_id]):
            payload = point.payload or {}
            return StoredSeeds(payload["first_missing"], payload["reused"])
        return StoredSeeds()

    async def save(self, stored: StoredSeeds) -> None:
        await self._client.upsert(self._name, [self._stored_point(stored)], wait=True)

    async def upsert(self, memories: Sequence[Memory], stored: StoredSeeds) -> None:
        """Insert a point for every memory with outcomes, replacing those of the same seeds, and save which
        seeds are stored then."""
        told = [one for one in memories if one.vector is not None and one.pairs]
        near = await asyncio.gather(*(self.nearest(one.vector, NEAR, one.order) for one in told))
        points = [self._stored_point(stored)]
        for number, memory in enumerate(told):
            # The bank before this memory: what it holds already, and those of this call that come first. It
            # may hold the memory itself, from a call whose answer was lost.
            before = [one for one in near[number] if _place(one[0]) < _place(memory)]
            before += [(one, float(one.vector @ memory.vector)) for one in told[:number]]  # type: ignore[operator]
            value = worth(memory, before, self._config.keep)
            points.append(_point(self._run, memory, value))
        await self._client.upsert(self._name, points, wait=True)

    async def nearest(self, vector: Vector | None, limit: int, until: int | None = None) -> list[Found]:
        """The `limit` nearest memories, with `until` of those up to that order; ties by the latest order,
        then by seed id."""
        assert vector is not None
        upto = [] if until is None else [models.FieldCondition(key="order", range=models.Range(lte=until))]
        answer = await self._client.query_points(
            self._name,
            query=vector,
            limit=limit + MORE,
            query_filter=models.Filter(must=[_is("run", self._run), *upto]),
            search_params=models.SearchParams(exact=self._config.exact),
        )
        found = [(_memory(point.payload), round(point.score, DIGITS)) for point in answer.points]
        return sorted(found, key=lambda one: (-one[1], -one[0].order, one[0].seed_id))[:limit]

    async def forget_after(self, order: int) -> None:
        """Remove the points of seeds after `order`; those of earlier runs have order -1."""
        later = models.FieldCondition(key="order", range=models.Range(gt=order))
        where = models.Filter(must=[later, _is("run", self._run)])
        await self._client.delete(self._name, models.FilterSelector(filter=where), wait=True)

    async def evict(self, excess: int) -> None:
        """Remove the `excess` points of the smallest worth, the oldest first among equals."""
        smallest = await self._ordered("worth", excess)
        cut = smallest[-1].payload["worth"]  # type: ignore[index]
        evicted = [point.id for point in smallest if point.payload["worth"] < cut]  # type: ignore[index]
        at_cut = models.FieldCondition(key="worth", range=models.Range(gte=cut, lte=cut))
        evicted += [point.id for point in await self._ordered("order", excess - len(evicted), at_cut)]
        await self._client.delete(self._name, models.PointIdsList(points=evicted), wait=True)

    async def memories(self) -> list[Memory]:
        """All memories with their vectors, fetched page by page."""
        found: list[Memory] = []
        offset: Any = None
        while True:
            page, offset = await self._client.scroll(
                self._name, scroll_filter=self._ours, limit=PAGE, offset=offset, with_vectors=True
            )
            found += [_memory(point.payload, point.vector) for point in page]
            if offset is None:
                return found

    async def close(self) -> None:
        await self._client.close()

    def _stored_point(self, stored: StoredSeeds) -> models.PointStruct:
        """Under another `run`, so that no query finds it; its vector says nothing."""
        return models.PointStruct(
            id=self._stored_id,
            vector=[1.0, *[0.0] * (self._size - 1)],
            payload={
                "run": f"{self._run}/stored",
                "first_missing": stored.first_missing,
                "reused": stored.reused,
            },
        )

    async def _ordered(self, key: str, limit: int, *conditions: models.FieldCondition) -> list[models.Record]:
        points, _ = await self._client.scroll(
            self._name,
            scroll_filter=models.Filter(must=[*conditions, _is("run", self._run)]),
            order_by=models.OrderBy(key=key),
            limit=limit,
        )
        return points


def _is(field: str, value: str) -> models.FieldCondition:
    return models.FieldCondition(key=field, match=models.MatchValue(value=value))


def _place(memory: Memory) -> tuple[int, str]:
    """By which memories are added."""
    return memory.order, memory.seed_id


def _point(run: str, memory: Memory, value: float) -> models.PointStruct:
    assert memory.vector is not None
    return models.PointStruct(
        id=stable_id(run, str(memory.order), memory.seed_id),
        vector=memory.vector.tolist(),
        payload={
            "run": run,
            "order": memory.order,
            "seed_id": memory.seed_id,
            "pairs": list(memory.pairs),
            "rewards": list(memory.rewards),
            "won": list(memory.won),
            "worth": value,
        },
    )


def _memory(payload: models.Payload | None, vector: Any = None) -> Memory:
    """Reads a point. Those of earlier versions are one winner: {pair, reward}."""
    payload = payload or {}
    old = "pair" in payload
    return Memory(
        payload["order"],
        payload["seed_id"],
        (payload["pair"],) if old else tuple(payload["pairs"]),
        (payload["reward"],) if old else tuple(payload["rewards"]),
        (True,) if old else tuple(payload["won"]),
        None if vector is None else np.array(vector, dtype=np.float32),
    )


def _parameters(size: int, config: MemoryConfig) -> models.VectorParams:
    quantization: models.ScalarQuantization | models.BinaryQuantization | None = None
    if config.quantization is Quantization.int8:
        scalar = models.ScalarQuantizationConfig(type=models.ScalarType.INT8)
        quantization = models.ScalarQuantization(scalar=scalar)
    elif config.quantization is Quantization.binary:
        quantization = models.BinaryQuantization(binary=models.BinaryQuantizationConfig())
    return models.VectorParams(
        size=size,
        distance=DISTANCE,
        hnsw_config=models.HnswConfigDiff(**config.hnsw) if config.hnsw else None,
        quantization_config=quantization,
        on_disk=config.on_disk or None,
    )
