"""What a coordinator measures beside its loop: rates and the lag of its event loop. Exports the metrics."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence

from actors.checkpoints import Checkpoints
from actors.committed_state import CommittedState
from actors.metrics import RunMetrics
from actors.pending_seeds import PendingSeeds
from actors.recent_rates import RecentRates
from actors.seed_worker import Worker, WorkState
from staragents.base.records import Candidate

METRICS_EVERY_S = 5.0
LAG_EVERY_S = 0.25


class Measuring:
    """Reads the parts of a run and changes none of them."""

    def __init__(
        self,
        metrics: RunMetrics,
        worker: Worker,
        committed: CommittedState,
        checkpoints: Checkpoints,
        pending: PendingSeeds,
    ) -> None:
        self._metrics = metrics
        self._worker = worker
        self._state = committed
        self._checkpoints = checkpoints
        self._pending = pending
        self._rates = RecentRates()
        self._committed = 0

    async def run(self) -> None:
        """Measure until cancelled. The event loop is the coordinator's bottleneck, so its lag is exported."""
        exported = -math.inf
        while True:
            asleep = time.monotonic()
            await asyncio.sleep(LAG_EVERY_S)
            now = time.monotonic()
            self._metrics.lagged(max(0.0, now - asleep - LAG_EVERY_S))
            if now - exported > METRICS_EVERY_S:
                state = await self._worker.state()
                self.recent(state)
                self.export(state)
                exported = now

    def committed(self, candidates: Sequence[Candidate]) -> None:
        """Count a seed that this coordinator has committed."""
        self._committed += 1
        self._metrics.committed(candidates)

    def recent(self, state: WorkState) -> dict[str, float]:
        """Seeds and generated tokens per second, over the last minutes."""
        tokens = {f"tokens.{model}": counter.tokens_out for model, counter in state.counters.items()}
        return self._rates.observe(time.monotonic(), {"seeds": self._committed, **tokens})

    def export(self, state: WorkState) -> None:
        if not self._metrics.enabled:
            return
        self._metrics.requests(state.counters)
        progress = self._state.progress
        self._metrics.state(
            {"total": progress.total_seeds, "committed": progress.seeds, "in_work": self._pending.in_work},
            state.outstanding,
            self._state.evolution.pair_stats(),
            self._checkpoints.age_s,
        )
