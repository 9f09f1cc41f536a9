"""How much the memory bank changed the draws of a run, and what that earned."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from staragents.analysis.tallies import rounded
from staragents.base.records import Candidate
from staragents.base.statistics import Z_95, Mean

MIN_SEEDS = 30
# Below this share of moved draws, nothing can be earned or lost.
MOVED = 0.01
WINDOWS = 20


class MemoryGain:
    """Compares, seed by seed, the draw that the run made with the one it would have made without recall.

    With inclusion probabilities p and q (without recall), running mean rewards m and rewards r of drawn
    pairs:

        gain = (sum over pairs (p - q) m + sum over drawn pairs (1 - q / p) (r - m)) / draws

    This is the doubly robust difference of both draws (Dudik et al. 2011), unbiased given the past. It
    compares draws of one learnt policy; what memory taught the policy elsewhere does not show.
    """

    def __init__(self) -> None:
        self._gains: list[tuple[int, float, float]] = []
        self._rewards: defaultdict[str, Mean] = defaultdict(Mean)

    def add_seed(
        self, number: int, candidates: list[Candidate], p: Mapping[str, float], q: Mapping[str, float]
    ) -> None:
        """`number` counts the seeds of the run from 0; `p` and `q` are equal where nothing was recalled."""
        drawn = [candidate for candidate in candidates if not candidate.base and candidate.reward is not None]
        draws = sum(not candidate.base for candidate in candidates)
        if p != q and drawn:
            changes = {pair: p[pair] - q.get(pair, 0.0) for pair in p}
            moved = sum(map(abs, changes.values())) / 2 / draws
            gain = sum(change * self._mean(pair) for pair, change in changes.items())
            gain += sum(
                changes[one.pair] / p[one.pair] * ((one.reward or 0.0) - self._mean(one.pair))
                for one in drawn
            )
            self._gains.append((number, moved, gain / draws))
        for candidate in drawn:
            self._rewards[candidate.pair].add(candidate.reward)

    def summary(self) -> dict[str, Any]:
        """`moved`: share of the draws that recall moved to another pair; `gain`: reward per draw that this
        earned, with its 95 % interval over seeds, None for fewer than 30 seeds with an effect; `course`:
        (seeds, moved, gain) in up to `WINDOWS` windows."""
        moved = Mean()
        gain = Mean()
        for _, share, earned in self._gains:
            moved.add(share)
            gain.add(earned)
        found: dict[str, Any] = {
            "seeds": gain.count,
            "moved": rounded(moved.value),
            "gain": None,
            "interval_95": None,
            "course": self._course(),
        }
        if gain.count < MIN_SEEDS:
            return found
        half = Z_95 * math.sqrt(gain.variance_of_mean)
        mean = gain.value or 0.0
        return {**found, "gain": rounded(mean), "interval_95": [rounded(mean - half), rounded(mean + half)]}

    def _mean(self, pair: str) -> float:
        return self._rewards[pair].value or 0.0

    def _course(self) -> list[list[float]]:
        width = max(1, math.ceil(len(self._gains) / WINDOWS))
        windows = [self._gains[start : start + width] for start in range(0, len(self._gains), width)]
        return [
            [
                window[-1][0] + 1,
                round(sum(moved for _, moved, _ in window) / len(window), 4),
                round(sum(gain for _, _, gain in window) / len(window), 4),
            ]
            for window in windows
        ]


def sentence(memory: dict[str, Any]) -> str:
    """What memory changed, from `MemoryGain.summary()`."""
    if not memory["seeds"]:
        return "Memory changed no draw."
    moved = f"Memory moved {memory['moved']:.0%} of the draws of {memory['seeds']} seeds to other pairs"
    if memory["gain"] is None:
        return f"{moved}: too few seeds to tell what that earned."
    low, high = memory["interval_95"]
    result = "no measurable difference" if low <= 0 <= high else ("a gain" if low > 0 else "a loss")
    return f"{moved}: {result} ({memory['gain']:+.4f} a draw, 95 % interval {low:+.4f} to {high:+.4f})."


def findings(memory: dict[str, Any]) -> Iterator[str]:
    """Whether to change a setting of memory."""
    if memory["gain"] is None:
        return
    low, high = memory["interval_95"]
    numbers = f"{memory['gain']:+.4f} a draw, 95 % interval {low:+.4f} to {high:+.4f}"
    if high < 0:
        yield (
            f"the draws that memory changed earned less ({numbers}): try another memory.embedder, a smaller "
            "evolution.memory_weight or memory.enabled=false"
        )
    elif low <= 0 and memory["moved"] >= MOVED:
        yield (
            f"what memory changed in the draws makes no measurable difference ({numbers}): try another "
            "memory.embedder or more seeds, or memory.enabled=false to save the embedding"
        )
