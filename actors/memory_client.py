"""A run's use of its memory bank, seed by seed: store winners, recall neighbours, survive what fails."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from ray.exceptions import ActorUnavailableError, RayTaskError

from actors.metrics import RunMetrics
from actors.progress import Progress
from actors.reasons import own_cause, reason_of
from actors.restarts import restart_polls
from staragents.base.errors import StarAgentsError
from staragents.base.records import Seed
from staragents.config import Config
from staragents.evolution.policy import Outcome, RecalledOutcomes

logger = logging.getLogger(__name__)

T = TypeVar("T")

# Added to the bank's own timeout, for embedding and, after a restart, loading the embedder.
GRACE_S = 120.0


class MemoryClient:
    """Calls the MemoryActor. Every call is idempotent, so a restarted actor costs time but changes no draw.

    A bank on a server never raises here: its actor stores winners until the server is back. A run continues
    without neighbours while the actor itself fails; these failures are counted. A local bank that fails ends
    the run, because its later draws would differ.
    """

    def __init__(self, config: Config, actor: Any | None, metrics: RunMetrics, progress: Progress) -> None:
        """`actor`: handle of the MemoryActor, None without memory."""
        self._settings = config.memory
        self._warmup_seeds = 0 if config.memory.reuse else config.memory.warmup * len(config.pairs)
        self._actor = actor
        self._metrics = metrics
        self._progress = progress

    async def rewind(self, cursor: int) -> None:
        """Remove what seeds `cursor` and later stored. Raises RayError or TimeoutError."""
        if (actor := self._actor) is not None:
            await self._answer(lambda: actor.rewind.remote(cursor - 1))

    def embed(self, seeds: Sequence[Seed]) -> None:
        """Start embedding seeds that are drawn soon. Lost embeddings are computed again when needed."""
        if self._actor is not None:
            self._actor.embed.remote([(seed.seed_id, seed.instruction) for seed in seeds])

    async def commit_and_recall(
        self, cursor: int, seed: Seed | None, outcomes: Sequence[Outcome], next_seed: Seed | None
    ) -> RecalledOutcomes:
        """Store the outcomes of `seed`, committed just before `cursor`, then recall outcomes on instructions
        similar to that of `next_seed`. Raises RunFailed if a local bank fails."""
        commits = [(cursor - 1, (seed.seed_id, seed.instruction), outcomes)] if seed is not None else []
        wanted = None
        if next_seed is not None and cursor >= self._warmup_seeds:
            wanted = (next_seed.seed_id, next_seed.instruction)
        actor = self._actor
        if actor is None or (not commits and wanted is None):
            return RecalledOutcomes()
        started, outcome = time.monotonic(), "failed"
        worth = [one for one in outcomes if one.winner and one.reward > self._settings.min_reward]
        self._progress.remembered += bool(worth)
        try:
            found: RecalledOutcomes = await self._answer(
                lambda: actor.commit_and_recall.remote(commits, wanted)
            )
            outcome = "stored" if wanted is None else "hit" if found else "miss"
            return found
        except StarAgentsError:
            raise
        except Exception as error:
            self._progress.memory_failures += 1
            if self._progress.memory_failures == 1:
                logger.warning("memory bank unavailable, drawing without it: %s", reason_of(error))
            return RecalledOutcomes()
        finally:
            self._metrics.memory_called(time.monotonic() - started, outcome)

    async def _answer(self, call: Callable[[], Awaitable[T]]) -> T:
        async for _ in restart_polls():
            try:
                async with asyncio.timeout(GRACE_S + self._settings.timeout_s):
                    return await call()
            except RayTaskError as error:
                raise own_cause(error) or error from None
            except ActorUnavailableError as error:
                unavailable = error
        raise unavailable
