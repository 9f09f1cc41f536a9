"""Recall and insertion in the memory bank in Qdrant's local mode, against numpy on the same vectors.

    python benchmarks/memory.py --points 10000

The limit is numpy's matrix product over all vectors, which reads every point once.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable

import numpy as np

from staragents.base.records import stable_id
from staragents.config import MemoryConfig
from staragents.memory.bank import MemoryBank
from staragents.memory.memory import Memory

SIZE = 384  # of all-MiniLM-L6-v2
PAIRS = 36
CALLS = 200


async def milliseconds(call: Callable[[int], Awaitable[object]]) -> tuple[float, float]:
    """Median and 95th percentile of one call."""
    seconds = []
    for number in range(CALLS):
        start = time.perf_counter()
        await call(number)
        seconds.append(time.perf_counter() - start)
    return 1e3 * float(np.median(seconds)), 1e3 * float(np.percentile(seconds, 95))


async def measure(points: int) -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(points + CALLS, SIZE)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    memories = [
        Memory(stable_id(str(n)), n, str(n), f"a{n % PAIRS}+r", float(rng.random()), vectors[n])
        for n in range(points + CALLS)
    ]

    async def numpy_only(number: int) -> None:
        (vectors[:points] @ vectors[number]).argpartition(-10)

    with tempfile.TemporaryDirectory() as folder:
        bank = MemoryBank(MemoryConfig(timeout_s=60.0), "benchmark", folder)
        await bank.open(SIZE)
        start = time.perf_counter()
        await bank.load(memories[:points])
        loading = time.perf_counter() - start
        limit, _ = await milliseconds(numpy_only)
        recall, late = await milliseconds(lambda number: bank.recall(vectors[number]))
        insert, _ = await milliseconds(lambda number: bank.insert(memories[points + number]))
        await bank.close()
    print(f"{points} points of {SIZE} floats, {loading:.1f} s to load ({1e3 * loading / points:.2f} ms each)")
    print(f"recall  {recall:6.2f} ms median, {late:.2f} ms p95; numpy {limit:.2f} ms")
    print(f"insert  {insert:6.2f} ms median, one at a time, including novelty")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--points", type=int, default=10_000)
    asyncio.run(measure(parser.parse_args().points))
