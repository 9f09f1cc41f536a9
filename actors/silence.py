"""How long an actor has been silent."""

from __future__ import annotations

import time


class Silence:
    """Tells an actor that hangs from one that waits for a node or starts: only one that has answered since
    its start can hang. The time counts from the first unanswered call, so that a pause of the caller is none.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._has_answered = False
        self._since: float | None = None

    def answered(self) -> None:
        self._has_answered, self._since = True, None

    def died(self) -> None:
        """A call failed: the actor will start again."""
        self._has_answered, self._since = False, None

    def unanswered(self) -> bool:
        """A call timed out. True if the actor hangs; then it counts as dead."""
        if not self._has_answered:
            return False
        if self._since is None:
            self._since = time.monotonic()
        if time.monotonic() - self._since < self._limit_s:
            return False
        self.died()
        return True
