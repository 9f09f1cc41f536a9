"""Client for the memory actor: timeouts, and calls that survive its restart."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from ray.exceptions import ActorUnavailableError, RayTaskError

from actors.restarts import restart_polls
from staragents.base.errors import StarAgentsError
from staragents.base.records import Seed
from staragents.evolution.policy import Neighbour

if TYPE_CHECKING:  # imports qdrant-client, a quarter of a coordinator's start time
    from actors.memory import Commit

T = TypeVar("T")

# Added to the bank's own timeout, for embedding and, after a restart, loading the embedder.
GRACE_S = 120.0


class MemoryClient:
    """Every call is idempotent, so a restarted actor costs time but changes no draw."""

    def __init__(self, actor: Any, timeout_s: float) -> None:
        self._actor = actor
        self._timeout_s = timeout_s

    def embed(self, seeds: Sequence[Seed]) -> None:
        """Start embedding seeds that are drawn soon. Lost embeddings are computed again when needed."""
        self._actor.embed.remote([(seed.seed_id, seed.instruction) for seed in seeds])

    async def commit_and_recall(self, commits: Sequence[Commit], recall_for: Seed | None) -> list[Neighbour]:
        """See MemoryActor. Raises RayError or TimeoutError if the actor does not answer."""
        wanted = None if recall_for is None else (recall_for.seed_id, recall_for.instruction)
        return await self._answer(lambda: self._actor.commit_and_recall.remote(commits, wanted))

    async def rewind(self, order: int) -> None:
        """See MemoryActor. Raises RayError or TimeoutError if the actor does not answer."""
        await self._answer(lambda: self._actor.rewind.remote(order))

    async def _answer(self, call: Callable[[], Awaitable[T]]) -> T:
        async for _ in restart_polls():
            try:
                async with asyncio.timeout(GRACE_S + self._timeout_s):
                    return await call()
            except RayTaskError as error:
                if isinstance(error.cause, StarAgentsError):
                    raise error.cause from None
                raise
            except ActorUnavailableError as error:
                unavailable = error
        raise unavailable
