"""The memories of a local bank in this process."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from staragents.config import Keep
from staragents.memory.eviction import NEAR, worth
from staragents.memory.memory import Memory, Vector
from staragents.memory.outcome_log import Evicted, Opening, Record, Remembered, Reused
from staragents.memory.vectors import Vectors


class HeldMemories:
    """What the records of a bank's file say, in their order. Memories and vectors have the same row.

    A row's number counts all records of seeds, so that a record can name it after others were evicted.
    """

    def __init__(self, size: int) -> None:
        self.vectors = Vectors(size)
        self.next_order = 0
        """The run's seeds before this one are known, also those that taught nothing."""
        self.reused = False
        """Whether all memories of earlier runs are here."""
        self._memories: list[Memory] = []
        self._worths: list[float] = []
        self._names: dict[str, str] = {}
        self._numbered = 0

    def __len__(self) -> int:
        return len(self._memories)

    def nearest(self, vector: Vector, limit: int, name: str) -> list[tuple[Memory, float]]:
        """The nearest memories with their cosines, without vectors; ties by the latest order, then by id."""
        rows, cosines = self.vectors.nearest(vector, limit, name)
        found = [
            (self._memories[row], cosine) for row, cosine in zip(rows.tolist(), cosines.tolist(), strict=True)
        ]
        return sorted(found, key=lambda one: (-one[1], -one[0].order, one[0].seed_id))[:limit]

    def all(self) -> list[Memory]:
        """With their vectors."""
        return [
            Memory(one.order, one.seed_id, one.pairs, one.rewards, one.won, self.vectors.vector(row))
            for row, one in enumerate(self._memories)
        ]

    def record_of(self, memory: Memory, keep: Keep) -> Remembered:
        """What the file says of a memory that is added next."""
        value, data = 0.0, b""
        if memory.vector is not None and memory.pairs:
            value = worth(memory, self.nearest(memory.vector, NEAR, memory.seed_id), keep)
            data = memory.vector.astype("<f4").tobytes()
        return Remembered(memory.order, memory.seed_id, memory.pairs, memory.rewards, memory.won, value, data)

    def excess(self, most: int, order: int) -> Evicted | None:
        """Which memories go if there are more than `most`: those of the smallest worth, of equals the oldest.
        Tolerates an excess of 1 %, because removing rows copies the whole array."""
        if len(self) <= most + most // 100:
            return None
        least = np.argsort(self._worths, kind="stable")[: len(self) - most]
        return Evicted(order, sorted(self.vectors.numbers(least)))

    def apply(self, record: Record) -> None:
        """Do what a record says."""
        match record:
            case Remembered():
                self._add(record)
            case Evicted():
                self._evict(record.numbers)
            case Reused():
                self.reused = True
            case Opening():
                pass

    def _add(self, record: Remembered) -> None:
        self.next_order = max(self.next_order, record.order + 1)
        self.vectors.forget(record.seed_id)
        if record.vector:
            # All memories share one copy of each pair's name.
            pairs = tuple(self._names.setdefault(pair, pair) for pair in record.pairs)
            self.vectors.add(self._numbered, np.frombuffer(record.vector, "<f4"))
            self._memories.append(
                Memory(record.order, record.seed_id, pairs, tuple(record.rewards), tuple(record.won))
            )
            self._worths.append(record.worth)
        self._numbered += 1

    def _evict(self, numbers: Sequence[int]) -> None:
        kept: NDArray[np.bool_] = np.ones(len(self), dtype=np.bool_)
        kept[self.vectors.rows(numbers)] = False
        self.vectors.keep(kept)
        self._memories = [one for one, stays in zip(self._memories, kept, strict=True) if stays]
        self._worths = [one for one, stays in zip(self._worths, kept, strict=True) if stays]
