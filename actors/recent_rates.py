"""Rates over the last minutes: a run that slows down or recovers shows it, however long it has run."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

WINDOW_S = 300.0
SAMPLES = 60


class RecentRates:
    """Rates of growing totals, from samples WINDOW_S / SAMPLES apart. Before WINDOW_S have passed, the rates
    since the first sample."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, dict[str, float]]] = deque()

    def observe(self, now_s: float, totals: Mapping[str, float]) -> dict[str, float]:
        """Growth per second of each of `totals` until `now_s`. Call it regularly: the window starts at one of
        the calls."""
        samples = self._samples
        # The oldest sample is at the start of the window, or just before it.
        while len(samples) > 1 and samples[1][0] <= now_s - WINDOW_S:
            samples.popleft()
        if not samples or now_s - samples[-1][0] >= WINDOW_S / SAMPLES:
            samples.append((now_s, dict(totals)))
        return {name: self._rate(now_s, name, total) for name, total in totals.items()}

    def _rate(self, now_s: float, name: str, total: float) -> float:
        """From the oldest sample that has this total: a model may be added during a run."""
        for began_s, before in self._samples:
            if name in before:
                # At least a second, as totals grow in bursts.
                return (total - before[name]) / max(1.0, now_s - began_s)
        return 0.0
