"""Checks whether the policy decided too early and whether its ranking of the pairs is reproducible."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np

from staragents.analysis.tallies import rounded
from staragents.analysis.timeline import Snapshot
from staragents.base.records import Candidate
from staragents.base.statistics import Mean, relative_entropy
from staragents.evolution.policy import PairStats

EARLY = 0.25
NARROW = 0.35
# Minimum numbers of pairs, and of candidates per pair, for assessing a ranking.
PAIRS, CANDIDATES = 4, 5
RELIABLE = 0.3


def entropy(pair_stats: list[PairStats]) -> float | None:
    """Relative entropy of the next single draw; None if there is nothing to choose."""
    probabilities = [one.probability for one in pair_stats if one.drawable]
    return relative_entropy(probabilities) if len(probabilities) > 1 else None


class Certainty:
    """Compares the pairs' mean rewards in two halves of the seeds, an independent check of the ranking."""

    def __init__(self) -> None:
        self._halves: tuple[defaultdict[str, Mean], ...] = (defaultdict(Mean), defaultdict(Mean))
        self._seeds = 0

    def add_seed(self, candidates: list[Candidate]) -> None:
        """Seeds alternate between the halves. Base pairs count too."""
        half = self._halves[self._seeds % 2]
        self._seeds += 1
        for candidate in candidates:
            half[candidate.pair].add(candidate.reward)

    def summary(self, snapshots: list[Snapshot]) -> dict[str, Any]:
        """`agreement`: Pearson correlation of the pairs' means in both halves; None for too few pairs."""
        values = [entropy(snapshot.pair_stats) for snapshot in snapshots]
        return {
            "entropy": [
                [snapshot.seeds, round(value, 4)]
                for snapshot, value in zip(snapshots, values, strict=True)
                if value is not None
            ],
            "agreement": rounded(self._agreement()),
            "locked_in": _locked_in(snapshots),
        }

    def _agreement(self) -> float | None:
        first, second = self._halves
        both = [
            pair
            for pair in first
            if min(first[pair].count, second[pair].count if pair in second else 0) >= CANDIDATES
        ]
        if len(both) < PAIRS:
            return None
        means = np.array([[half[pair].value for pair in both] for half in self._halves])
        return float(np.corrcoef(means)[0, 1]) if (means.std(axis=1) > 0).all() else None


def _locked_in(snapshots: list[Snapshot]) -> dict[str, Any] | None:
    """The first point in the first quarter of the run at which almost only one pair is drawn, although its
    interval still overlaps another's."""
    last = snapshots[-1].seeds if snapshots else 0
    for snapshot in snapshots:
        value = entropy(snapshot.pair_stats)
        if not 0 < snapshot.seeds <= EARLY * last or value is None or value > NARROW:
            continue
        drawable = [one for one in snapshot.pair_stats if one.drawable]
        leader = max(drawable, key=lambda stats: stats.probability)
        rivals = [one for one in drawable if one is not leader and one.high > leader.low]
        if rivals:
            rival = max(rivals, key=lambda stats: stats.high)
            return {
                "seeds": snapshot.seeds,
                "pair": leader.pair,
                "rival": rival.pair,
                "entropy": round(value, 4),
            }
    return None


def findings(certainty: dict[str, Any], policy: str) -> Iterator[str]:
    """`policy` is the value of evolution.policy."""
    if locked := certainty["locked_in"]:
        more = "evolution.exploration" if policy in ("thompson", "ucb") else "evolution.floor"
        yield (
            f"early lock-in: after {locked['seeds']} seeds the policy drew almost only {locked['pair']}, "
            f"while {locked['rival']} could still have been better: try a larger {more}"
        )
    agreement = certainty["agreement"]
    if agreement is not None and agreement < RELIABLE:
        yield (
            f"the ranking of the pairs differs between two halves of the seeds (correlation "
            f"{agreement:.2f}): try more seeds, fewer agents or judge.both_orders=true"
        )
