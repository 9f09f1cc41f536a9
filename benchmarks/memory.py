"""Recall and storing in a local memory bank, against other engines on the same vectors, one after the other.

    python benchmarks/memory.py --points 100000
    python benchmarks/memory.py --points 100000 --engines bank numpy qdrant-local qdrant-edge qdrant-edge-int8

`bank` is ours, with every seed announced by `expect`, 64 at a time, as a run does; `alone` is ours without.
Baseline: `numpy`, one product of all vectors with a query, which reads every vector once. `qdrant-local` is
qdrant-client's local mode, our bank up to version 0.1; `qdrant-edge` needs the package qdrant-edge-py. Every
seed has two outcomes. Compare the times of the processor: the clock's depend on what else runs.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

# As in a Ray actor without CPUs of its own; before numpy is loaded.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from staragents.config import MemoryConfig
from staragents.memory.local_bank import FILE, LocalBank
from staragents.memory.memory import Memory
from staragents.memory.outcome_log import VERSION, Opening, OutcomeLog, Remembered

SIZE = 384  # of all-MiniLM-L6-v2
PAIRS = 36
CALLS = 192
AHEAD = 64

Call = Callable[[int], Awaitable[object]]


def memories_of(count: int) -> list[Memory]:
    """Seeds around 200 topics, each with the outcomes of two pairs."""
    rng = np.random.default_rng(0)
    topics = 0.6 * rng.normal(size=(200, SIZE))
    vectors = (topics[rng.integers(200, size=count)] + rng.normal(size=(count, SIZE))).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    rewards = rng.random(size=(count, 2)).round(3).tolist()
    return [
        Memory(
            n,
            f"seed-{n}",
            (f"a{n % PAIRS}+r", f"b{n % PAIRS}+r"),
            tuple(rewards[n]),
            (True, False),
            vectors[n],
        )
        for n in range(count)
    ]


async def milliseconds(call: Call, calls: int = CALLS) -> tuple[float, float, float]:
    """Of the processor, and on the clock at the median and at 95 %, per call."""
    cpu, clock = time.process_time(), []
    for number in range(calls):
        start = time.perf_counter()
        await call(number)
        clock.append(1e3 * (time.perf_counter() - start))
    spent = 1e3 * (time.process_time() - cpu) / calls
    return spent, float(np.median(clock)), float(np.percentile(clock, 95))


def show(what: str, times: tuple[float, float, float]) -> float:
    """Print a line; returns the CPU time."""
    print(f"  {what:28s} {times[0]:7.2f} ms CPU; clock {times[1]:.2f} median, {times[2]:.2f} p95", flush=True)
    return times[0]


def written(memories: list[Memory], folder: str, keep: str) -> None:
    """The file of a bank, without the search for redundant memories that `remember` makes."""
    log = OutcomeLog(Path(folder) / FILE)
    log.append([Opening(VERSION, SIZE, keep)])
    for one in memories:
        assert one.vector is not None
        vector = one.vector.tobytes()
        log.append([Remembered(one.order, one.seed_id, one.pairs, one.rewards, one.won, 0.5, vector)])
    log.close()


async def ours(
    memories: list[Memory], points: int, neighbours: int, folder: str, announced: bool = True
) -> float:
    bank = LocalBank(MemoryConfig(neighbours=neighbours), folder)
    written(memories[:points], folder, bank.config.keep.value)
    cpu = time.process_time()
    await bank.open(SIZE)
    opening = time.process_time() - cpu
    later = memories[points:]

    async def recall(number: int) -> None:
        if announced and number % AHEAD == 0:
            ahead = later[number : number + AHEAD]
            bank.expect([one.seed_id for one in ahead], np.array([one.vector for one in ahead]))
        one = later[number]
        assert one.vector is not None
        await bank.recall(one.vector, one.seed_id)

    async def store(number: int) -> None:
        await bank.remember([later[number]])

    recalled = show("recall", await milliseconds(recall))
    show("store", await milliseconds(store))
    print(f"  open                         {opening:7.2f} s CPU, {bank.bytes / 2**20:.0f} MiB")
    await bank.close()
    return recalled


async def with_numpy(memories: list[Memory], points: int, neighbours: int, folder: str) -> float:
    vectors = np.array([one.vector for one in memories])
    kept = vectors[:points].copy()

    async def product(number: int) -> None:
        (kept @ vectors[points + number]).argpartition(-neighbours)

    return show("recall", await milliseconds(product))


async def with_qdrant_local(memories: list[Memory], points: int, neighbours: int, folder: str) -> float:
    from qdrant_client import QdrantClient, models

    client = QdrantClient(path=folder)
    size = models.VectorParams(size=SIZE, distance=models.Distance.DOT)
    client.create_collection("bank", vectors_config=size)

    def put(some: list[Memory]) -> None:
        made = [
            models.PointStruct(id=one.order, vector=one.vector.tolist(), payload=payload_of(one))  # type: ignore[union-attr]
            for one in some
        ]
        client.upsert("bank", made)

    for start in range(0, points, AHEAD):
        put(memories[start : min(points, start + AHEAD)])

    async def recall(number: int) -> None:
        client.query_points("bank", query=memories[points + number].vector, limit=neighbours)

    async def store(number: int) -> None:
        put([memories[points + number]])

    recalled = show("recall", await milliseconds(recall, CALLS // 8))
    show("store", await milliseconds(store))
    client.close()
    cpu = time.process_time()
    QdrantClient(path=folder).close()
    print(f"  open                         {time.process_time() - cpu:7.2f} s CPU, {mib_of(folder):.0f} MiB")
    return recalled


async def with_qdrant_edge(
    memories: list[Memory], points: int, neighbours: int, folder: str, int8: bool = False
) -> float:
    import qdrant_edge as edge

    quantised = edge.ScalarQuantizationConfig(type=edge.ScalarType.Int8, always_ram=True) if int8 else None
    vectors = edge.EdgeVectorParams(size=SIZE, distance=edge.Distance.Dot, quantization_config=quantised)
    # No graph: its neighbours would depend on the order of insertion.
    plain = edge.HnswIndexConfig(m=0, ef_construct=10, full_scan_threshold=10**9)
    shard = edge.EdgeShard.create(folder, edge.EdgeConfig(vectors=vectors, hnsw_config=plain))

    def put(some: list[Memory]) -> None:
        made = [edge.Point(one.order, one.vector.tolist(), payload_of(one)) for one in some]  # type: ignore[union-attr]
        shard.update(edge.UpdateOperation.upsert_points(made))

    for start in range(0, points, AHEAD):
        put(memories[start : min(points, start + AHEAD)])
    if int8:
        shard.optimize()
    again = edge.QuantizationSearchParams(rescore=True, oversampling=2.0) if int8 else None
    how = edge.SearchParams(exact=not int8, quantization=again)

    async def recall(number: int) -> None:
        nearest = edge.Query.Nearest(memories[points + number].vector.tolist())  # type: ignore[union-attr]
        shard.search(edge.SearchRequest(nearest, neighbours, params=how, with_payload=True))

    async def store(number: int) -> None:
        put([memories[points + number]])

    recalled = show("recall", await milliseconds(recall))
    show("store", await milliseconds(store))
    shard.close()
    cpu = time.process_time()
    edge.EdgeShard.load(folder).close()
    print(f"  open                         {time.process_time() - cpu:7.2f} s CPU, {mib_of(folder):.0f} MiB")
    return recalled


def payload_of(memory: Memory) -> dict[str, object]:
    return {
        "order": memory.order, "seed_id": memory.seed_id, "pairs": list(memory.pairs),
        "rewards": list(memory.rewards), "won": list(memory.won),
    }  # fmt: skip


def mib_of(folder: str) -> float:
    """Blocks in use: files may be sparse."""
    return sum(path.stat().st_blocks * 512 for path in Path(folder).rglob("*") if path.is_file()) / 2**20


ENGINES: dict[str, Callable[[list[Memory], int, int, str], Awaitable[float]]] = {
    # Each prints its times and returns milliseconds of CPU a recall.
    "bank": ours,
    "alone": partial(ours, announced=False),
    "numpy": with_numpy,
    "qdrant-local": with_qdrant_local,
    "qdrant-edge": with_qdrant_edge,
    "qdrant-edge-int8": partial(with_qdrant_edge, int8=True),
}


async def measure(points: int, neighbours: int, engines: list[str]) -> None:
    memories = memories_of(points + CALLS)
    print(f"{points} points of {SIZE} floats, {neighbours} recalled")
    for engine in engines:
        print(engine)
        with tempfile.TemporaryDirectory() as folder:
            try:
                await ENGINES[engine](memories, points, neighbours, folder)
            except ImportError as error:
                print(f"  {error.name} is not installed")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--points", type=int, default=10_000)
    parser.add_argument("--neighbours", type=int, default=150)
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=["bank", "alone", "numpy"])
    given = parser.parse_args()
    asyncio.run(measure(given.points, given.neighbours, given.engines))
