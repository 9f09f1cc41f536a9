"""The coordinator's way to the memory actor: deadlines, and calls that outlast its restart."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from ray.exceptions import ActorUnavailableError, RayTaskError

from actors.memory import Commit
from staragents.errors import StarAgentsError
from staragents.evolution.policy import Neighbour
from staragents.records import Seed

T = TypeVar("T")

# Beyond the bank's own deadline: embedding and, after a restart, loading the embedder.
GRACE_S = 120.0
# Until Ray has an actor again whose node is gone.
RETURN_S = 180.0
RETURN_POLL_S = 0.5


class MemoryClient:
    """Every call can be repeated, so a dead actor costs time and changes no draw."""

    def __init__(self, actor: Any, timeout_s: float) -> None:
        self._actor = actor
        self._timeout_s = timeout_s

    def embed(self, seeds: Sequence[Seed]) -> None:
        """Begin with the embeddings of seeds that come up soon. Whatever is lost is embedded at its turn."""
        self._actor.embed.remote([(seed.seed_id, seed.instruction) for seed in seeds])

    async def turn(self, commits: Sequence[Commit], recall_for: Seed | None) -> list[Neighbour]:
        """`MemoryActor.turn`. Raises RayError or TimeoutError if the actor does not answer."""
        wanted = None if recall_for is None else (recall_for.seed_id, recall_for.instruction)
        return await self._answer(lambda: self._actor.turn.remote(commits, wanted))

    async def rewind(self, order: int) -> None:
        """`MemoryActor.rewind`. Raises as `turn`."""
        await self._answer(lambda: self._actor.rewind.remote(order))

    async def _answer(self, call: Callable[[], Awaitable[T]]) -> T:
        give_up_at = time.monotonic() + RETURN_S
        while True:
            try:
                async with asyncio.timeout(GRACE_S + self._timeout_s):
                    return await call()
            except RayTaskError as error:
                if isinstance(error.cause, StarAgentsError):
                    raise error.cause from None
                raise
            except ActorUnavailableError:
                if time.monotonic() > give_up_at:
                    raise
                await asyncio.sleep(RETURN_POLL_S)
