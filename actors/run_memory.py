"""A run's use of its memory bank, seed by seed: store winners, recall neighbours."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from actors.memory_client import MemoryClient
from actors.metrics import RunMetrics
from actors.progress import Progress
from staragents.base.errors import StarAgentsError
from staragents.base.records import Candidate, Seed
from staragents.config import Config
from staragents.evolution.policy import Neighbour

if TYPE_CHECKING:  # imports qdrant-client, a quarter of a coordinator's start time
    from actors.memory import Commit


class RunMemory:
    """A run continues without neighbours if a bank on a server fails; failures are counted. A local bank that
    fails ends the run, because its later draws would differ."""

    def __init__(self, config: Config, actor: Any | None, metrics: RunMetrics, progress: Progress) -> None:
        """`actor`: handle of the MemoryActor, None without memory."""
        self._settings = config.memory
        self._warmup_seeds = 0 if config.memory.reuse else config.memory.warmup * len(config.pairs)
        self._client = MemoryClient(actor, config.memory.timeout_s) if actor is not None else None
        self._metrics = metrics
        self._progress = progress

    async def rewind(self, cursor: int) -> None:
        """Remove what seeds `cursor` and later stored. Raises RayError or TimeoutError."""
        if self._client is not None:
            await self._client.rewind(cursor - 1)

    def embed(self, seeds: Sequence[Seed]) -> None:
        """Start embedding seeds that are drawn soon."""
        if self._client is not None:
            self._client.embed(seeds)

    async def commit_and_recall(
        self, cursor: int, seed: Seed | None, chosen: Candidate | None, next_seed: Seed | None
    ) -> list[Neighbour]:
        """Store the winner of `seed`, committed just before `cursor`, then recall winners on instructions
        similar to that of `next_seed`. Raises RunFailed if a local bank fails."""
        commits = [self._commit(cursor - 1, seed, chosen)] if seed is not None else []
        recall_for = next_seed if cursor >= self._warmup_seeds else None
        if self._client is None or (not commits and recall_for is None):
            return []
        started, outcome = time.monotonic(), "failed"
        self._progress.remembered += sum(pair is not None for _, _, pair, _ in commits)
        try:
            found = await self._client.commit_and_recall(commits, recall_for)
            outcome = "stored" if recall_for is None else "hit" if found else "miss"
            return found
        except StarAgentsError:
            raise
        except Exception as error:
            self._progress.memory_failures += 1
            if self._progress.memory_failures == 1:
                logging.getLogger(__name__).warning("memory bank unavailable, drawing without it: %s", error)
            return []
        finally:
            self._metrics.memory_called(time.monotonic() - started, outcome)

    def _commit(self, order: int, seed: Seed, chosen: Candidate | None) -> Commit:
        worth = chosen is not None and not chosen.base and (chosen.reward or 0.0) > self._settings.min_reward
        pair, reward = (chosen.pair, chosen.reward) if worth and chosen else (None, None)
        return (order, (seed.seed_id, seed.instruction), pair, reward)
