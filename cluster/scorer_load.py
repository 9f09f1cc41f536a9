"""How many scorers of a role a run needs, from what waits for them."""

from __future__ import annotations

import math

from actors.scorer_pool import PACKS_PER_ACTOR

# Beyond the packs that are at an actor as many wait: rows come in bursts, when answers do.
BUSY_PACKS = 2 * PACKS_PER_ACTOR
UP_AFTER_S = 10.0
# Loading a model again costs more than an idle scorer for a minute.
DOWN_AFTER_S = 60.0


class ScorerLoad:
    """One role: more scorers when rows have piled up for a while, one less when one idled for longer."""

    def __init__(self, pack_characters: int) -> None:
        self._pack = pack_characters
        self._busy_since = self._idle_since = math.inf

    def wanted(self, now_s: float, actors: int, outstanding: int, low: int, high: int) -> int:
        """A size in `low`..`high`, given `outstanding` characters that wait for `actors` or are at them.

        At most twice as many as there are: rows that piled up while scorers loaded are soon gone.
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
