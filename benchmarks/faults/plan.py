"""The plan of disturbances: kinds, order and pauses, deterministic for a random seed."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

KILLS = {
    "replica": 20.0,
    "scorer": 20.0,
    "worker": 18.0,
    "memory": 12.0,
    "coordinator": 13.0,
    "raylet": 5.0,
    "driver": 5.0,
}
"""Weights for the SIGKILL of one process of a run. Recovery takes longest from the last two."""
EPISODES = {
    "rival": 0.8,
    "rival-new": 0.5,
    "results": 0.5,
    "shard-missing": 0.5,
    "shard-damaged": 0.5,
    "state-damaged": 0.5,
    "disk-full": 0.4,
    "inodes-full": 0.4,
    "read-only": 0.4,
    "clock-back": 0.4,
    "partition": 0.4,
}
"""Weights for disturbances of several steps, each of which is checked."""
WEIGHTS = KILLS | EPISODES
ACTORS = ("replica", "scorer", "worker", "memory", "coordinator")
ALIKE_AT_ONCE = 2
"""Most open kills of one kind: a run fails after three coordinator deaths without a commit."""
SALVO_SHARE = 0.4


@dataclass
class Kill:
    """One disturbance: `pause_s` after the previous one, or at the same time (`salvo`).

    `who` is empty until it is done; `recovery_s` is None until the next commit.
    """

    kind: str
    pause_s: float
    salvo: bool
    who: str = ""
    run: int = 0
    seed: int = 0
    recovery_s: float | None = None


def planned(kills: int, seed: int, pause_s: float, most_open: int, kinds: Sequence[str]) -> list[Kill]:
    """`kills` disturbances of `kinds` by weight, each at least once, in random order with exponential pauses.

    A salvo has at most `most_open` actors.
    """
    rng = random.Random(seed)
    order = list(shares(kills, kinds).elements())
    rng.shuffle(order)
    plan: list[Kill] = []
    salvo: list[str] = []
    for kind in order:
        joins = (
            kind in ACTORS
            and 0 < len(salvo) < most_open
            and salvo.count(kind) < ALIKE_AT_ONCE
            and rng.random() < SALVO_SHARE
        )
        salvo = [*salvo, kind] if joins else [kind] if kind in ACTORS else []
        plan.append(Kill(kind, round(rng.expovariate(1 / pause_s), 2) if pause_s else 0.0, joins))
    return plan


def shares(kills: int, kinds: Sequence[str]) -> Counter[str]:
    """Number of kills per kind: one each in the given order, the rest by weight."""
    total = sum(WEIGHTS[kind] for kind in kinds)
    counts = Counter(kinds[:kills])
    while counts.total() < kills:
        counts[max(kinds, key=lambda kind: kills * WEIGHTS[kind] / total - counts[kind])] += 1
    return counts
