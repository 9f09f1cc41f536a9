"""Which seeds of its run a bank on a server was given."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

EVERYTHING = -2
"""Before the memories of earlier runs, whose order is -1."""


@dataclass(frozen=True, slots=True)
class StoredSeeds:
    """The points can't tell this: seeds that taught nothing have none, and others were evicted.

    The server keeps `first_missing` and `reused`. `later` is known to this process alone: after a restart,
    the seeds from `first_missing` are stored again.
    """

    first_missing: int = 0
    """All seeds before this one were stored."""
    reused: bool = False
    """Whether all memories of earlier runs were."""
    later: frozenset[int] = frozenset()
    """Stored seeds after `first_missing`, which wait for those between."""

    def adding(self, orders: Iterable[int]) -> StoredSeeds:
        first, later = self.first_missing, self.later.union(orders)
        while first in later:
            first += 1
        return StoredSeeds(first, self.reused, frozenset(one for one in later if one > first))

    def until(self, order: int) -> StoredSeeds:
        """What is left if the seeds after `order` are forgotten."""
        return StoredSeeds(
            max(min(self.first_missing, order + 1), 0),
            self.reused and order > EVERYTHING,
            frozenset(one for one in self.later if one <= order),
        )

    def found_again(self, saved: StoredSeeds) -> StoredSeeds:
        """After an outage: what the server has saved, and what is known beyond it unless points were lost."""
        return saved.adding(self.later) if saved.first_missing >= self.first_missing else saved
