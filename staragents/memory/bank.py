"""The memory bank as a run uses it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from staragents.config import MemoryConfig
from staragents.evolution.policy import RecalledOutcomes
from staragents.memory.memory import Memory, Vector


class Bank(Protocol):
    """A bounded collection of memories, one per seed, of which the most similar are recalled.

    After `rewind`, a resumed run recalls what the undisturbed run would have.
    """

    available: bool
    """False while a server does not answer; a local bank raises RunFailed instead."""
    queries: int
    hits: int
    failures: int
    dropped: int
    """Memories lost to a full queue of a server's bank."""

    @property
    def location(self) -> str:
        """The server's address or the folder."""
        ...

    @property
    def queued(self) -> int:
        """Memories waiting to be written."""
        ...

    async def open(self, size: int) -> None:
        """Open the bank for unit vectors of `size`. Raises BadInput if it holds vectors of another size, if
        another process holds the folder, or if a server refuses the key."""

    async def start_anew(self) -> None:
        """Forget everything, also the memories of earlier runs."""

    async def needs_earlier_runs(self) -> bool:
        """Whether the memories of `memory.reuse` are not all in the bank."""
        ...

    async def reuse(self, memories: Iterable[Memory]) -> None:
        """Start anew with memories of earlier runs, in the order of their seed ids. Raises BadInput if a
        server does not answer."""

    async def remember(self, memories: Sequence[Memory]) -> None:
        """Store the next committed seeds, in their order, also those with nothing to remember. A seed that is
        known already changes nothing."""

    def expect(self, names: Sequence[str], vectors: NDArray[np.float32]) -> None:
        """Prepare the recall for seeds that are drawn soon, shape (len(names), size). May run in a thread."""

    async def recall(self, vector: Vector, name: str = "") -> RecalledOutcomes:
        """The outcomes of the `memory.neighbours` seeds that are most similar, most similar first; ties by
        the latest order, then by id. Empty while a server is unavailable. `name`: as given to `expect`."""
        ...

    async def rewind(self, order: int) -> int | None:
        """Forget the run's seeds after `order`; -1 forgets all. Returns what is `known` then: those up to
        `order` that are missing must be remembered again."""
        ...

    async def known(self) -> int | None:
        """The number of the run's seeds, from the first, that were remembered; None while a server is
        unavailable."""
        ...

    async def count(self) -> int:
        """Number of memories; the last known number while a server is unavailable."""
        ...

    async def memories(self) -> list[Memory]:
        """All memories with their vectors; [] while a server is unavailable."""
        ...

    async def close(self) -> None: ...


def make_bank(config: MemoryConfig, run: str, path: str | None) -> Bank:
    """`run` separates this run's points from others on a server; `path` is the folder of a local bank, None
    keeps it in memory."""
    if config.url:
        # qdrant-client takes a fifth of the driver's import time.
        from staragents.memory.server_bank import ServerBank

        return ServerBank(config, run)
    from staragents.memory.local_bank import LocalBank

    return LocalBank(config, path)
