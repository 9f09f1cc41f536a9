"""A bounded cache of computed NLLs, in memory or in a file."""

from __future__ import annotations

import logging
import math
import sqlite3
from collections.abc import Iterable, Mapping
from itertools import count
from pathlib import Path

logger = logging.getLogger(__name__)

# Key, NLL and last use in a B-tree that is two thirds full, as is usual for random keys.
BYTES_PER_SPAN = 48
# Older SQLite builds allow at most 999 parameters.
_KEYS_PER_QUERY = 500
_BUSY_S = 10.0


class SpanCache:
    """About `mib` MiB of mean NLLs, keyed by a digest of everything that determines them; LRU eviction.

    With a path, the cache is an SQLite file that survives a kill and that processes of one machine may share;
    otherwise it is in memory. The cache only saves time, so it never raises: a file that is locked, damaged
    or not a cache is left unchanged, one warning is logged and an in-memory cache replaces it.
    """

    def __init__(self, mib: float = 64, path: str | Path | None = None) -> None:
        self._size = int(mib * 2**20) // BYTES_PER_SPAN
        self._path = path
        try:
            self._open(path or ":memory:")
        except sqlite3.Error as error:
            self._fall_back_to_memory(error)

    def get(self, keys: Iterable[bytes]) -> dict[bytes, float]:
        """The cached NLLs of `keys`; marks them as used now."""
        try:
            return self._get(list(dict.fromkeys(keys)))
        except sqlite3.Error as error:
            self._fall_back_to_memory(error)
            return {}

    def put(self, nlls: Mapping[bytes, float]) -> None:
        """Store `nlls` in one transaction. NaN and infinity are not stored, because a repeated forward pass
        may succeed."""
        try:
            self._put({key: nll for key, nll in nlls.items() if math.isfinite(nll)})
        except sqlite3.Error as error:
            self._fall_back_to_memory(error)

    def close(self) -> None:
        self._database.close()

    def _open(self, path: str | Path) -> None:
        # Used by one thread at a time, but not always by the thread that created it.
        self._database = sqlite3.connect(path, timeout=_BUSY_S, check_same_thread=False)
        self._added = 0
        # WAL allows readers beside one writer; a power failure may lose the last NLLs, never the file.
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=NORMAL")
        with self._database:
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS spans (key BLOB PRIMARY KEY, nll REAL NOT NULL, "
                "used INTEGER NOT NULL) WITHOUT ROWID"
            )
        (last,) = self._database.execute("SELECT max(used) FROM spans").fetchone()
        self._ticks = count((last or 0) + 1)

    def _fall_back_to_memory(self, error: sqlite3.Error) -> None:
        logger.warning("can't use %s as an NLL cache: %s; continuing without the file", self._path, error)
        self._open(":memory:")

    def _get(self, keys: list[bytes]) -> dict[bytes, float]:
        found: dict[bytes, float] = {}
        for start in range(0, len(keys), _KEYS_PER_QUERY):
            some = keys[start : start + _KEYS_PER_QUERY]
            marks = ",".join("?" * len(some))
            found |= self._database.execute(f"SELECT key, nll FROM spans WHERE key IN ({marks})", some)
        now = next(self._ticks)
        with self._database:
            self._database.executemany("UPDATE spans SET used = ? WHERE key = ?", ((now, k) for k in found))
        return found

    def _put(self, nlls: Mapping[bytes, float]) -> None:
        now = next(self._ticks)
        with self._database:
            self._database.executemany(
                "INSERT OR REPLACE INTO spans VALUES (?, ?, ?)", ((k, nll, now) for k, nll in nlls.items())
            )
            self._added += len(nlls)
            # Counting scans the file, so it may grow by a sixteenth between counts.
            if self._added > self._size // 16:
                self._evict()

    def _evict(self) -> None:
        self._added = 0
        (held,) = self._database.execute("SELECT count(*) FROM spans").fetchone()
        self._database.execute(
            "DELETE FROM spans WHERE key IN (SELECT key FROM spans ORDER BY used LIMIT ?)",
            (max(0, held - self._size),),
        )
