"""The bank's Qdrant collection and all calls to it, without fault handling."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
from qdrant_client import AsyncQdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

from staragents.base.errors import BadInput
from staragents.config import MemoryConfig, Quantization
from staragents.memory.memory import Memory, Recalled, Vector

# Number of nearest points searched for another memory of the same pair.
NEAR = 8
# Cosine of unit vectors. With DOT, local mode need not normalise all vectors for every query (10 x faster).
DISTANCE = models.Distance.DOT
SAME = {models.Distance.DOT.value, models.Distance.COSINE.value}
INDEXES = {
    "run": models.PayloadSchemaType.KEYWORD,
    "order": models.PayloadSchemaType.INTEGER,
    "worth": models.PayloadSchemaType.FLOAT,
}
PAGE = 1000


class Collection:
    """Points of one run. On a server, several runs may share a collection.

    Local mode has one folder per run and no filter, which would scan every payload for every query.
    """

    def __init__(
        self, client: AsyncQdrantClient, name: str, run: str, size: int, config: MemoryConfig, location: str
    ) -> None:
        self.name = name
        self._client = client
        self._run = run
        self._size = size
        self._config = config
        self._location = location
        self._ours = models.Filter(must=[_is("run", run)]) if config.url else None

    async def prepare(self) -> None:
        """Create the collection, or check an existing one.

        Raises BadInput if its vector size or distance differs, or if the server refuses the key.
        """
        try:
            exists = await self._client.collection_exists(self.name)
        except UnexpectedResponse as error:
            if error.status_code in (401, 403):
                raise BadInput(
                    f"memory.api_key_env: expected a key that {self._location} accepts, "
                    f"got {error.status_code}"
                ) from None
            raise
        if exists:
            self._check(await self._client.get_collection(self.name))
        else:
            await self._client.create_collection(self.name, vectors_config=self._parameters())
        if self._config.url:
            for field, kind in INDEXES.items():
                await self._client.create_payload_index(self.name, field, field_schema=kind)

    async def insert(self, memories: Sequence[Memory]) -> None:
        """Insert points, replacing those with the same id."""
        novelties = await self._novelties(memories)
        points = [one.point(self._run, novelty) for one, novelty in zip(memories, novelties, strict=True)]
        await self._client.upsert(self.name, points, wait=True)

    async def nearest(self, vector: Vector, limit: int) -> list[Recalled]:
        """The `limit` points nearest to `vector`, in a deterministic order."""
        answer = await self._client.query_points(
            self.name,
            query=vector,  # an array: local mode would convert a list to float64, four times slower
            # Twice as many as requested, so that ties are broken the same way whatever the storage order.
            limit=2 * limit,
            query_filter=self._ours,
            search_params=models.SearchParams(exact=self._config.exact) if self._config.url else None,
        )
        return sorted(map(Recalled.read, answer.points), key=lambda found: found.sort_key)[:limit]

    async def count(self) -> int:
        return (await self._client.count(self.name, count_filter=self._ours, exact=True)).count

    async def forget_after(self, order: int) -> None:
        """Remove this run's points of seeds after `order`."""
        later = models.FieldCondition(key="order", range=models.Range(gt=order))
        where = models.Filter(must=[later, _is("run", self._run)])
        await self._client.delete(self.name, models.FilterSelector(filter=where), wait=True)

    async def evict(self, excess: int) -> None:
        """Remove the `excess` points of the smallest worth, the oldest first among equals."""
        smallest = await self._ordered("worth", excess)
        cut = smallest[-1].payload["worth"]  # type: ignore[index]
        evicted = [point.id for point in smallest if point.payload["worth"] < cut]  # type: ignore[index]
        at_cut = models.FieldCondition(key="worth", range=models.Range(gte=cut, lte=cut))
        evicted += [point.id for point in await self._ordered("order", excess - len(evicted), at_cut)]
        await self._client.delete(self.name, models.PointIdsList(points=evicted), wait=True)

    async def points(self) -> list[models.Record]:
        """All points with their vectors, fetched page by page."""
        found: list[models.Record] = []
        offset: Any = None
        while True:
            page, offset = await self._client.scroll(
                self.name, scroll_filter=self._ours, limit=PAGE, offset=offset, with_vectors=True
            )
            found += page
            if offset is None:
                return found

    async def _novelties(self, memories: Sequence[Memory]) -> list[float]:
        """1 - the largest cosine to another memory of the same pair, in the bank or earlier in `memories`."""
        vectors = np.array([one.vector for one in memories])
        between = vectors @ vectors.T
        nearby = await asyncio.gather(*(self.nearest(one.vector, NEAR) for one in memories))
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
            self.name,
            scroll_filter=models.Filter(must=[*conditions]) if conditions else None,
            order_by=models.OrderBy(key=key),
            limit=limit,
        )
        return points

    def _check(self, info: models.CollectionInfo) -> None:
        vectors = info.config.params.vectors
        found: Any = vectors
        if isinstance(vectors, models.VectorParams):
            found = (vectors.size, vectors.distance.value)
        if found not in [(self._size, distance) for distance in SAME]:
            raise BadInput(
                f"memory.collection: expected vectors of size {self._size} (memory.embedder) and "
                f"{DISTANCE.value} or Cosine in {self.name!r} at {self._location}, got {found}"
            )

    def _parameters(self) -> models.VectorParams:
        quantization: models.ScalarQuantization | models.BinaryQuantization | None = None
        if self._config.quantization is Quantization.int8:
            scalar = models.ScalarQuantizationConfig(type=models.ScalarType.INT8)
            quantization = models.ScalarQuantization(scalar=scalar)
        elif self._config.quantization is Quantization.binary:
            quantization = models.BinaryQuantization(binary=models.BinaryQuantizationConfig())
        return models.VectorParams(
            size=self._size,
            distance=DISTANCE,
            hnsw_config=models.HnswConfigDiff(**self._config.hnsw) if self._config.hnsw else None,
            quantization_config=quantization,
            on_disk=self._config.on_disk or None,
        )


def _is(field: str, value: str) -> models.FieldCondition:
    return models.FieldCondition(key=field, match=models.MatchValue(value=value))
