"""Memory banks and memories of tests."""

from __future__ import annotations

from typing import Any

import numpy as np

from staragents.base.records import stable_id
from staragents.config import MemoryConfig
from staragents.memory.bank import MemoryBank
from staragents.memory.memory import Memory

SIZE = 4


def unit(*values: float) -> np.ndarray:
    vector = np.array([*values, *[0.0] * (SIZE - len(values))], dtype=np.float32)
    return vector / np.linalg.norm(vector)


def memory(order: int, pair: str = "a+b", reward: float = 0.5, vector: np.ndarray | None = None) -> Memory:
    name = stable_id("memory", str(order), pair)
    return Memory(
        name, order, f"seed-{order}", pair, reward, unit(1, order / 100) if vector is None else vector
    )


def bank(run: str = "run", path: str = ":memory:", retry_s: float = 10.0, **settings: Any) -> MemoryBank:
    known: dict[str, Any] = {
        "timeout_s": 5.0,
        "collection": "memories",
        "neighbours": 100,
        "min_similarity": -1.0,
    }
    made = MemoryBank(MemoryConfig(**known | settings), run, path)
    made.retry_s = retry_s
    return made


async def opened(**arguments: Any) -> MemoryBank:
    opened_bank = bank(**arguments)
    await opened_bank.open(SIZE)
    return opened_bank


async def recalled(of: MemoryBank) -> list[tuple[str, float]]:
    return [(found.payload["pair"], found.payload["reward"]) for found in await of.recall(unit(1))]
