"""Autoscaling of scorers: how many a role needs, from the characters queued for them."""

from __future__ import annotations

import math

from actors.scorer_pool import PACKS_PER_ACTOR

# As many packs queued as are at an actor: rows come in bursts, as answers do.
BUSY_PACKS = 2 * PACKS_PER_ACTOR
UP_AFTER_S = 10.0
# Loading a model again costs more than a minute of an idle scorer.
DOWN_AFTER_S = 60.0


class ScorerLoad:
    """For one role: more scorers after UP_AFTER_S of queued rows, one less after DOWN_AFTER_S of idling."""

    def __init__(self, pack_characters: int) -> None:
        self._pack = pack_characters
        self._busy_since = self._idle_since = math.inf

    def wanted(self, now_s: float, actors: int, outstanding: int, low: int, high: int) -> int:
        """A size in `low`..`high`, given `outstanding` characters queued for or at `actors` scorers.

        At most doubles the number: rows that queued up while scorers loaded are scored quickly.
        """
        busy = outstanding >= max(1, actors) * BUSY_PACKS * self._pack
        idle = outstanding < (actors - 1) * self._pack
        self._busy_since = min(self._busy_since, now_s) if busy else math.inf
        self._idle_since = min(self._idle_since, now_s) if idle else math.inf
        size = actors
        if now_s - self._busy_since >= UP_AFTER_S:
            size = min(math.ceil(outstanding / (BUSY_PACKS * self._pack)), 2 * actors)
        elif now_s - self._idle_since >= DOWN_AFTER_S:
            size = actors - 1
        size = min(max(size, low), high)
        if size != actors:
            self._busy_since = self._idle_since = math.inf
        return size
