"""What a run gives to its memory bank and asks of it, seed by seed."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any

from actors.memory import Commit
from actors.memory_client import MemoryClient
from actors.metrics import RunMetrics
from actors.progress import Progress
from staragents.config import Config
from staragents.errors import StarAgentsError
from staragents.evolution.policy import Neighbour
from staragents.records import Candidate, Seed


class Remembering:
    """A run goes on without a server's bank: whatever fails there is counted and gives no neighbours. A local
    bank that fails ends the run, as its next draws would be others."""

    def __init__(self, config: Config, actor: Any | None, metrics: RunMetrics, progress: Progress) -> None:
        """`actor` is the MemoryActor's handle; without one nothing is remembered."""
        self._settings = config.memory
        self._warmup_seeds = 0 if config.memory.reuse else config.memory.warmup * len(config.pairs)
        self._client = MemoryClient(actor, config.memory.timeout_s) if actor is not None else None
        self._metrics = metrics
        self._progress = progress

    async def rewind(self, cursor: int) -> None:
        """Forget what was stored of seeds from `cursor` on. Raises RayError or TimeoutError."""
        if self._client is not None:
            await self._client.rewind(cursor - 1)

    def embed(self, seeds: Sequence[Seed]) -> None:
        """Begin with seeds that come up soon."""
        if self._client is not None:
            self._client.embed(seeds)

    async def turn(
        self, cursor: int, seed: Seed | None, chosen: Candidate | None, next_seed: Seed | None
    ) -> list[Neighbour]:
        """Store who did well on `seed`, committed just before `cursor`, then ask who did well on instructions
        like the one of `next_seed`. Raises RunFailed if a local bank fails."""
        commits = [self._commit(cursor - 1, seed, chosen)] if seed is not None else []
        recall_for = next_seed if cursor >= self._warmup_seeds else None
        if self._client is None or (not commits and recall_for is None):
            return []
        started, outcome = time.monotonic(), "failed"
        self._progress.remembered += sum(pair is not None for _, _, pair, _ in commits)
        try:
            found = await self._client.turn(commits, recall_for)
            outcome = "stored" if recall_for is None else "hit" if found else "miss"
            return found
        except StarAgentsError:
            raise
        except Exception as error:
            self._progress.memory_failures += 1
            if self._progress.memory_failures == 1:
                logging.getLogger(__name__).warning("memory bank away, drawing without it: %s", error)
            return []
        finally:
            self._metrics.turned(time.monotonic() - started, outcome)

    def _commit(self, order: int, seed: Seed, chosen: Candidate | None) -> Commit:
        worth = chosen is not None and not chosen.base and (chosen.reward or 0.0) > self._settings.min_reward
        pair, reward = (chosen.pair, chosen.reward) if worth and chosen else (None, None)
        return (order, (seed.seed_id, seed.instruction), pair, reward)
