"""Whether the policy decided too early, and whether its ranking of the pairs would come out again."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np

from staragents.evolution.policy import Standing
from staragents.report.moments import Mean
from staragents.report.rows import Row
from staragents.report.tallies import rounded
from staragents.report.timeline import Moment

EARLY = 0.25
NARROW = 0.35
# Fewer pairs or candidates of a pair say nothing about a ranking.
PAIRS, CANDIDATES = 4, 5
RELIABLE = 0.3


def entropy(standings: list[Standing]) -> float | None:
    """Of the next single draw, over that of the uniform draw: 1 knows nothing, 0 always draws one pair."""
    if len(standings) < 2:
        return None
    shares = [standing.probability for standing in standings if standing.probability > 0]
    return -sum(share * math.log(share) for share in shares) / math.log(len(standings))


class Certainty:
    """Mean rewards of the pairs in two halves of the seeds: an independent check of the ranking."""

    def __init__(self) -> None:
        self._halves: tuple[defaultdict[str, Mean], ...] = (defaultdict(Mean), defaultdict(Mean))
        self._seeds = 0

    def add_seed(self, rows: list[Row]) -> None:
        """Every other seed goes to the other half. Base pairs count too."""
        half = self._halves[self._seeds % 2]
        self._seeds += 1
        for row in rows:
            half[row["pair"]].add(row["reward"])

    def summary(self, moments: list[Moment]) -> dict[str, Any]:
        """`agreement` is Pearson's correlation of the pairs' means in both halves; None for too few."""
        values = [entropy(moment.standings) for moment in moments]
        return {
            "entropy": [
                [moment.seeds, round(value, 4)]
                for moment, value in zip(moments, values, strict=True)
                if value is not None
            ],
            "agreement": rounded(self._agreement()),
            "locked_in": _locked_in(moments),
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


def _locked_in(moments: list[Moment]) -> dict[str, Any] | None:
    """The first moment in the first quarter at which hardly any pair but one is drawn, though its interval
    still overlaps another's."""
    last = moments[-1].seeds if moments else 0
    for moment in moments:
        value = entropy(moment.standings)
        if not 0 < moment.seeds <= EARLY * last or value is None or value > NARROW:
            continue
        leader = max(moment.standings, key=lambda standing: standing.probability)
        rivals = [one for one in moment.standings if one is not leader and one.high > leader.low]
        if rivals:
            rival = max(rivals, key=lambda standing: standing.high)
            return {
                "seeds": moment.seeds,
                "pair": leader.pair,
                "rival": rival.pair,
                "entropy": round(value, 4),
            }
    return None


def findings(certainty: dict[str, Any], policy: str) -> Iterator[str]:
    """`policy` is evolution.policy."""
    if locked := certainty["locked_in"]:
        more = "evolution.exploration" if policy in ("thompson", "ucb") else "evolution.floor"
        yield (
            f"early lock-in: after {locked['seeds']} seeds the policy drew almost only {locked['pair']}, "
            f"while {locked['rival']} could still have been better: try a larger {more}"
        )
    agreement = certainty["agreement"]
    if agreement is not None and agreement < RELIABLE:
        yield (
            f"which pairs are good hardly comes out alike in two halves of the seeds (correlation "
            f"{agreement:.2f}): try more seeds, fewer agents or judge.both_orders=true"
        )
