"""Memory banks and memories of tests."""

from __future__ import annotations

from typing import Any

import numpy as np

from staragents.config import MemoryConfig
from staragents.memory.bank import Bank, make_bank
from staragents.memory.local_bank import LocalBank
from staragents.memory.memory import BEFORE_THIS_RUN, Memory
from staragents.memory.server_bank import ServerBank

SIZE = 4


def unit(*values: float) -> np.ndarray:
    vector = np.array([*values, *[0.0] * (SIZE - len(values))], dtype=np.float32)
    return vector / np.linalg.norm(vector)


def memory(order: int, vector: np.ndarray | None = None, /, **rewards: float) -> Memory:
    """A seed on which the given pairs were drawn, by default `a` and `b`; the first one won."""
    rewards = rewards or {"a": 0.75, "b": 0.25}
    won = (True, *[False] * (len(rewards) - 1))
    near = unit(1, order / 100) if vector is None else vector
    return Memory(order, f"seed-{order}", tuple(rewards), tuple(rewards.values()), won, near)


def of_earlier_run(number: int, vector: np.ndarray) -> Memory:
    return Memory(BEFORE_THIS_RUN, f"A/{number}", ("a", "b"), (0.75, 0.25), (True, False), vector)


def settings(**changed: Any) -> MemoryConfig:
    known: dict[str, Any] = {"timeout_s": 5.0, "collection": "memories", "neighbours": 100}
    return MemoryConfig(**known | changed)


async def local(path: str | None = None, size: int = SIZE, **changed: Any) -> LocalBank:
    """An open local bank."""
    bank = LocalBank(settings(**changed), path)
    await bank.open(size)
    return bank


def server(run: str = "run", retry_s: float = 10.0, **changed: Any) -> ServerBank:
    bank = make_bank(settings(**changed), run, None)
    assert isinstance(bank, ServerBank)
    bank.retry_s = retry_s
    return bank


async def opened(**arguments: Any) -> ServerBank:
    """An open bank on a server."""
    bank = server(**arguments)
    await bank.open(SIZE)
    return bank


async def recalled(of: Bank, vector: np.ndarray | None = None) -> list[tuple[str, str, float]]:
    """Seed, pair and reward of each outcome recalled for a vector."""
    found = await of.recall(unit(1) if vector is None else vector)
    return list(zip(found.seed_ids, found.pairs, found.rewards.tolist(), strict=True))


async def seeds(of: Bank, vector: np.ndarray | None = None) -> list[str]:
    """The recalled seeds, most similar first."""
    return list(dict.fromkeys(seed_id for seed_id, _, _ in await recalled(of, vector)))
