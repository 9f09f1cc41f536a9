"""A memory bank in one process: exact search in an array, and a file in the run directory."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from staragents.base.errors import BadInput, RunFailed
from staragents.config import MemoryConfig
from staragents.evolution.policy import RecalledOutcomes
from staragents.memory.memory import BEFORE_THIS_RUN, Memory, Vector, recalled
from staragents.memory.outcome_log import VERSION, Evicted, Opening, OutcomeLog, Record, Remembered, Reused
from staragents.memory.vectors import Vectors
from staragents.memory.worth import NEAR, worth
from staragents.text.printable import one_line

logger = logging.getLogger(__name__)

FILE = "outcomes.log"
LOCK = ".lock"
# After a kill and restart, the old process may still hold the folder.
LOCK_WAIT_S = 15.0
BATCH = 256


class LocalBank:
    """See `Bank`. A folder that fails ends the run: every method raises RunFailed, because a disk that is full
    does not recover by itself and later draws would differ.

    The file holds one record per committed seed, in their order, so the number of the last one says which
    seeds of the run's shards are missing after a loss of power, a deleted file or an upgrade.
    """

    queued = dropped = failures = 0
    available = True

    def __init__(self, config: MemoryConfig, path: str | None, read_only: bool = False) -> None:
        """`read_only`: of a bank that another process may be writing, what it has written so far."""
        self.config = config
        self.queries = self.hits = 0
        self._path = Path(path) if path is not None else None
        self._read_only = read_only
        self._lock: FileLock | None = None
        self._limit = max(config.neighbours, NEAR)

    @property
    def location(self) -> str:
        return str(self._path) if self._path is not None else "in memory"

    async def open(self, size: int) -> None:
        self._size = size
        try:
            if self._path is not None and not self._read_only:
                self._path.mkdir(parents=True, exist_ok=True)
                await self._hold(self._path)
            self._log = OutcomeLog(self._path / FILE if self._path is not None else None, self._read_only)
            try:
                self._load()
            except BaseException:
                await self.close()
                raise
        except OSError as error:
            raise self._broken(error) from error

    async def needs_earlier_runs(self) -> bool:
        return not self._reused

    async def reuse(self, memories: Iterable[Memory]) -> None:
        self._start_anew()
        remaining = iter(memories)
        while some := list(islice(remaining, BATCH)):
            self._append([record for memory in some for record in self._take(memory)])
        self._reused = True
        self._append([Reused()])

    async def remember(self, memories: Sequence[Memory]) -> None:
        new = [memory for memory in memories if memory.order >= self._next_order]
        self._append([record for memory in new for record in self._take(memory)])

    def expect(self, names: Sequence[str], vectors: NDArray[np.float32]) -> None:
        self._vectors.expect(names, vectors, self._limit)

    async def recall(self, vector: Vector, name: str = "") -> RecalledOutcomes:
        self.queries += 1
        least, limit = self.config.min_similarity, self.config.neighbours
        found = [one for one in self._nearest(vector, limit, name) if one[1] >= least]
        self.hits += bool(found)
        return recalled(found)

    async def rewind(self, order: int) -> int:
        try:
            self._load(order)
        except OSError as error:
            raise self._broken(error) from error
        return self._next_order

    async def count(self) -> int:
        return len(self._memories)

    async def memories(self) -> list[Memory]:
        return [
            Memory(one.order, one.seed_id, one.pairs, one.rewards, one.won, self._vectors.vector(row))
            for row, one in enumerate(self._memories)
        ]

    @property
    def seeds(self) -> int:
        """Number of the run's seeds, from the first, that the bank knows, also those that taught nothing."""
        return self._next_order

    @property
    def bytes(self) -> int:
        """Size of the file."""
        return self._log.end

    async def close(self) -> None:
        self._log.close()
        if self._lock is not None:
            self._lock.release()

    # -- the array ---------------------------------------------------------------------------------------

    def _nearest(self, vector: Vector, limit: int, name: str) -> list[tuple[Memory, float]]:
        rows, cosines = self._vectors.nearest(vector, limit, name)
        found = [(self._memories[row], cosine) for row, cosine in zip(rows.tolist(), cosines.tolist())]  # noqa: B905
        return sorted(found, key=lambda one: (-one[1], -one[0].order, one[0].seed_id))[:limit]

    def _take(self, memory: Memory) -> list[Record]:
        """Add a memory to the array; returns what to write of it."""
        vector, value = memory.vector, 0.0
        if vector is not None and memory.pairs:
            value = worth(memory, self._nearest(vector, NEAR, memory.seed_id), self.config.keep)
        record = Remembered(
            memory.order,
            memory.seed_id,
            memory.pairs,
            memory.rewards,
            memory.won,
            value,
            b"" if vector is None or not memory.pairs else vector.astype("<f4").tobytes(),
        )
        self._vectors.forget(memory.seed_id)
        self._add(record)
        # Tolerate an excess of 1 %: removing rows copies the whole array, which must stay rare.
        most = self.config.max_points
        if len(self._memories) <= most + most // 100:
            return [record]
        least = np.argsort(self._worths, kind="stable")[: len(self._memories) - most]
        evicted = Evicted(memory.order, sorted(self._vectors.numbers(least)))
        self._evict(evicted)
        return [record, evicted]

    def _add(self, record: Remembered) -> None:
        self._next_order = max(self._next_order, record.order + 1)
        if record.vector:
            # All memories share one copy of each pair's name.
            pairs = tuple(self._names.setdefault(pair, pair) for pair in record.pairs)
            self._vectors.add(self._numbered, np.frombuffer(record.vector, "<f4"))
            self._memories.append(
                Memory(record.order, record.seed_id, pairs, tuple(record.rewards), tuple(record.won))
            )
            self._worths.append(record.worth)
        self._numbered += 1

    def _evict(self, evicted: Evicted) -> None:
        kept = np.ones(len(self._memories), dtype=bool)
        kept[self._vectors.rows(evicted.numbers)] = False
        self._vectors.keep(kept)
        self._memories = [one for one, stays in zip(self._memories, kept, strict=True) if stays]
        self._worths = [one for one, stays in zip(self._worths, kept, strict=True) if stays]

    # -- the file ----------------------------------------------------------------------------------------

    def _load(self, until: int | None = None) -> None:
        """Read the file up to seed `until`, and cut off what follows: later seeds, half a record, damage.

        Raises BadInput for vectors of another size, OSError.
        """
        self._clear()
        cut = None
        for start, record in self._log.read():
            if not self._follows(record, start, until):
                cut = start
                break
            match record:
                case Remembered():
                    self._add(record)
                case Evicted():
                    self._evict(record)
                case Reused():
                    self._reused = True
        end = self._log.end if cut is None else cut
        if cut is None and self._log.surplus > 0:
            logger.warning(
                "%s: %d bytes after seed %d are incomplete or damaged and were dropped",
                self.location, self._log.surplus, self._next_order - 1,
            )  # fmt: skip
        if not self._read_only:
            self._log.cut(end)
            if end == 0:
                self._start_anew()

    def _follows(self, record: Record, start: int, until: int | None) -> bool:
        """Whether the record continues what was read before it."""
        if isinstance(record, Opening):
            if start == 0 and record.size != self._size and record.version == VERSION:
                raise BadInput(
                    f"memory.embedder: expected vectors of size {record.size} as in {self.location}, "
                    f"got {self._size}"
                )
            return start == 0 and (record.version, record.keep) == (VERSION, self.config.keep.value)
        if start == 0 or (until is not None and record.order > until):
            return False
        return not isinstance(record, Remembered) or record.order in (BEFORE_THIS_RUN, self._next_order)

    def _append(self, records: Sequence[Record]) -> None:
        if records:
            try:
                self._log.append(records)
            except OSError as error:
                raise self._broken(error) from error

    def _start_anew(self) -> None:
        """An empty bank."""
        self._clear()
        try:
            self._log.cut(0)
        except OSError as error:
            raise self._broken(error) from error
        self._append([Opening(VERSION, self._size, self.config.keep.value)])

    def _clear(self) -> None:
        self._vectors = Vectors(self._size)
        self._memories: list[Memory] = []
        self._worths: list[float] = []
        self._names: dict[str, str] = {}
        self._numbered = self._next_order = 0
        self._reused = False

    async def _hold(self, folder: Path) -> None:
        """Raises BadInput if another process holds the folder."""
        self._lock = FileLock(folder / LOCK, thread_local=False)
        give_up_at = time.monotonic() + LOCK_WAIT_S
        while True:
            try:
                self._lock.acquire(timeout=0)
                return
            except Timeout:
                if time.monotonic() > give_up_at:
                    raise BadInput(f"{folder}: the memory bank is in use by another process") from None
                await asyncio.sleep(0.5)

    def _broken(self, error: OSError) -> RunFailed:
        reason = one_line(f"{type(error).__name__}: {error}")[:200]
        return RunFailed(
            f"{self.location}: the memory bank failed ({reason}); free disk space and run the same command "
            "to resume"
        )
