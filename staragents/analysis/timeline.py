"""The policy's statistics over the course of a run, from a replay of its rows in commit order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from staragents.analysis.policy_history import PolicyHistory
from staragents.base.records import Candidate
from staragents.config import Config
from staragents.evolution.drawn_pairs import DrawnPairs
from staragents.evolution.policy import PairStats

POINTS = 100


class Snapshot(NamedTuple):
    """Pair statistics after `seeds` seeds, of all pairs of the run: some may not have been in it yet."""

    seeds: int
    pair_stats: list[PairStats]


class Timeline:
    """Replays the policy of a run and keeps about `POINTS` snapshots."""

    def __init__(
        self, config: Config, total_seeds: int, finished_seeds: int, saved: Sequence[DrawnPairs] = ()
    ) -> None:
        """`saved`: the pairs of the run's state, if agents were added or retired meanwhile."""
        self._history = PolicyHistory(config, total_seeds, saved)
        self._pairs = config.drawn_pairs
        self._step = max(1, math.ceil(finished_seeds / POINTS))
        self._last = finished_seeds
        self.snapshots: list[Snapshot] = []
        self._keep()

    def add_seed(self, candidates: list[Candidate]) -> None:
        """Add the next seed's candidates."""
        self._history.add_seed(candidates)
        seeds = self._history.seeds
        if seeds % self._step == 0 or seeds == self._last:
            self._keep()

    def _keep(self) -> None:
        if self._history.policy is None:
            return
        known = {one.pair: one for one in self._history.policy.pair_stats(self._history.drawn_pairs.retired)}
        stats = [known.get(pair) or PairStats.unknown(pair) for pair in self._pairs]
        self.snapshots.append(Snapshot(self._history.seeds, stats))
