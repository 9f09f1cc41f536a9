"""Opens what a memory bank is stored in: a collection on a Qdrant server, or in the folder of local mode."""

from __future__ import annotations

import asyncio
import json
import math
import time
from pathlib import Path

from qdrant_client import AsyncQdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

from staragents.base.environment import secret
from staragents.base.errors import BadInput, RunFailed
from staragents.base.loopback import is_on_loopback
from staragents.config import MemoryConfig, Quantization
from staragents.text.printable import one_line

# After a kill and restart, the old process may still hold the folder.
LOCK_WAIT_S = 15.0
# Cosine of unit vectors. With DOT, local mode need not normalise all vectors for every query (10 x faster).
DISTANCE = models.Distance.DOT
SAME = {models.Distance.DOT.value, models.Distance.COSINE.value}
INDEXES = {
    "run": models.PayloadSchemaType.KEYWORD,
    "order": models.PayloadSchemaType.INTEGER,
    "worth": models.PayloadSchemaType.FLOAT,
}


async def connect(config: MemoryConfig, path: str) -> AsyncQdrantClient:
    """A client of the server at `config.url`, or of the folder `path` (or `:memory:`).

    Raises BadInput if another process holds the folder, RunFailed if it is broken.
    """
    if config.url:
        return AsyncQdrantClient(
            url=config.url,
            api_key=secret(config.api_key_env) if config.api_key_env else None,
            timeout=math.ceil(config.timeout_s),
            # The check would call the server from the constructor, without our timeout.
            check_compatibility=False,
            # Without the proxies of the environment, which may not reach this machine.
            trust_env=not is_on_loopback(config.url),
        )
    if path == ":memory:":
        return AsyncQdrantClient(location=":memory:")
    give_up_at = time.monotonic() + LOCK_WAIT_S
    while True:
        try:
            return AsyncQdrantClient(path=path)
        except json.JSONDecodeError:
            # The process was killed during the first write of this file. Points are stored in separate
            # files and are found again when the collection is created.
            (Path(path) / "meta.json").unlink()
        except RuntimeError as error:
            if time.monotonic() > give_up_at:
                raise BadInput(f"{path}: the memory bank is in use by another process") from error
            await asyncio.sleep(0.5)
        except Exception as error:  # of SQLite, pickle or the disk
            raise broken(path, error) from error


def broken(path: str, error: Exception) -> RunFailed:
    """A folder does not recover: its disk is full or its files are damaged. Draws would differ."""
    reason = one_line(f"{type(error).__name__}: {error}")[:200]
    return RunFailed(
        f"{path}: the memory bank failed ({reason}); free disk space and run the same command "
        "to resume; if its files are damaged, move them away and run: "
        f"staragents repair {Path(path).parent}"
    )


async def create(
    client: AsyncQdrantClient, name: str, size: int, config: MemoryConfig, location: str
) -> None:
    """Create the collection for unit vectors of `size`, or check an existing one. `location`: for errors.

    Raises BadInput if its vector size or distance differs, or if the server refuses the key.
    """
    try:
        exists = await client.collection_exists(name)
    except UnexpectedResponse as error:
        if error.status_code in (401, 403):
            raise BadInput(
                f"memory.api_key_env: expected a key that {location} accepts, got {error.status_code}"
            ) from None
        raise
    if exists:
        _check(await client.get_collection(name), name, size, location)
    else:
        await client.create_collection(name, vectors_config=_parameters(size, config))
    if config.url:
        for field, kind in INDEXES.items():
            await client.create_payload_index(name, field, field_schema=kind)


def _check(info: models.CollectionInfo, name: str, size: int, location: str) -> None:
    vectors = info.config.params.vectors
    found = (vectors.size, vectors.distance.value) if isinstance(vectors, models.VectorParams) else vectors
    if found not in [(size, distance) for distance in SAME]:
        raise BadInput(
            f"memory.collection: expected vectors of size {size} (memory.embedder) and "
            f"{DISTANCE.value} or Cosine in {name!r} at {location}, got {found}"
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
