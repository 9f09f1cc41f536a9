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
from staragents.memory.eviction import NEAR
from staragents.memory.held_memories import HeldMemories
from staragents.memory.memory import BEFORE_THIS_RUN, Memory, Vector, recalled
from staragents.memory.outcome_log import VERSION, Opening, OutcomeLog, Record, Remembered, Reused
from staragents.text.printable import one_line

logger = logging.getLogger(__name__)

FILE = "outcomes.log"
LOCK = ".lock"
# After a kill and restart, the old process may still hold the folder.
LOCK_WAIT_S = 15.0
BATCH = 256


class LocalBank:
    """See `Bank`. A folder that fails ends the run: every method raises RunFailed, because a full disk does
    not recover by itself and later draws would differ.

    The file has a record for every committed seed, in their order. So it says by itself which seeds of the
    run's shards it lacks: after damage, a loss of power, a deleted file or an upgrade.
    """

    queued = dropped = failures = 0
    available = True

    def __init__(self, config: MemoryConfig, path: str | None, read_only: bool = False) -> None:
        """`path` None keeps the file in memory. `read_only`: a bank that another process may be writing."""
        self.config = config
        self.queries = self.hits = 0
        self._path = Path(path) if path is not None else None
        self._read_only = read_only
        self._lock: FileLock | None = None

    @property
    def location(self) -> str:
        return str(self._path) if self._path is not None else "in memory"

    async def open(self, size: int) -> None:
        """Raises BadInput for a folder with vectors of another size or that another process holds, RunFailed
        if it can't be read or written."""
        self._size = size
        self._held = HeldMemories(size)
        try:
            if self._path is not None and not self._read_only:
                self._path.mkdir(parents=True, exist_ok=True)
                await self._hold(self._path)
            self._log = OutcomeLog(self._path / FILE if self._path is not None else None, self._read_only)
        except OSError as error:
            raise self._broken(error) from error
        try:
            self._load()
        except BaseException:
            await self.close()
            raise

    async def start_anew(self) -> None:
        self._start_anew()

    async def needs_earlier_runs(self) -> bool:
        return not self._held.reused

    async def reuse(self, memories: Iterable[Memory]) -> None:
        self._start_anew()
        remaining = iter(memories)
        while some := list(islice(remaining, BATCH)):
            self._store(some)
        self._held.apply(Reused())
        self._append([Reused()])

    async def remember(self, memories: Sequence[Memory]) -> None:
        self._store([memory for memory in memories if memory.order >= self._held.next_order])

    def expect(self, names: Sequence[str], vectors: NDArray[np.float32]) -> None:
        self._held.vectors.expect(names, vectors, max(self.config.neighbours, NEAR))

    async def recall(self, vector: Vector, name: str = "") -> RecalledOutcomes:
        self.queries += 1
        nearest = self._held.nearest(vector, self.config.neighbours, name)
        found = [one for one in nearest if one[1] >= self.config.min_similarity]
        self.hits += bool(found)
        return recalled(found)

    async def rewind(self, order: int) -> int:
        self._load(order)
        return await self.known()

    async def known(self) -> int:
        return self._held.next_order

    async def count(self) -> int:
        return len(self._held)

    async def memories(self) -> list[Memory]:
        return self._held.all()

    @property
    def bytes(self) -> int:
        """Size of the file."""
        return self._log.end

    async def close(self) -> None:
        self._log.close()
        if self._lock is not None:
            self._lock.release()

    # -- the file ----------------------------------------------------------------------------------------

    def _store(self, memories: Sequence[Memory]) -> None:
        records: list[Record] = []
        for memory in memories:
            record = self._held.record_of(memory, self.config.keep)
            self._held.apply(record)
            records.append(record)
            if (evicted := self._held.excess(self.config.max_points, memory.order)) is not None:
                self._held.apply(evicted)
                records.append(evicted)
        self._append(records)

    def _append(self, records: Sequence[Record]) -> None:
        if records:
            try:
                self._log.append(records)
            except OSError as error:
                raise self._broken(error) from error

    def _load(self, until: int | None = None) -> None:
        """Read the file up to seed `until`, and cut off what follows: later seeds, half a record, damage."""
        self._held = HeldMemories(self._size)
        try:
            for start, record in self._log.read():
                if not self._follows(record, start, until):
                    self._cut(start)
                    return
                self._held.apply(record)
            if self._log.surplus > 0 and not self._read_only:
                logger.warning(
                    "%s: %d bytes after seed %d are incomplete or damaged and are dropped",
                    self.location, self._log.surplus, self._held.next_order - 1,
                )  # fmt: skip
            self._cut(self._log.end)
        except OSError as error:
            raise self._broken(error) from error

    def _follows(self, record: Record, start: int, until: int | None) -> bool:
        """Whether the record continues what was read. Raises BadInput for vectors of another size."""
        if isinstance(record, Opening):
            if start == 0 and record.version == VERSION and record.size != self._size:
                raise BadInput(
                    f"memory.embedder: expected vectors of size {record.size}, as in {self.location}, "
                    f"got {self._size}"
                )
            return start == 0 and (record.version, record.keep) == (VERSION, self.config.keep.value)
        if start == 0 or (until is not None and record.order > until):
            return False
        return not isinstance(record, Remembered) or record.order in (BEFORE_THIS_RUN, self._held.next_order)

    def _cut(self, at: int) -> None:
        if not self._read_only:
            self._log.cut(at)
            if at == 0:
                self._start_anew()

    def _start_anew(self) -> None:
        """An empty bank."""
        self._held = HeldMemories(self._size)
        try:
            self._log.cut(0)
        except OSError as error:
            raise self._broken(error) from error
        self._append([Opening(VERSION, self._size, self.config.keep.value)])

    async def _hold(self, folder: Path) -> None:
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
