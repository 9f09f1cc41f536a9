"""Losses that were computed before, in memory or in a file, bounded."""

from __future__ import annotations

import logging
import math
import sqlite3
from collections.abc import Iterable, Mapping
from itertools import count
from pathlib import Path

logger = logging.getLogger(__name__)

# Key, loss and time of use in a B-tree that is two thirds full, as random keys leave it.
BYTES_PER_SPAN = 48
# SQLite takes at most 999 parameters in older builds.
_KEYS_AT_ONCE = 500
_BUSY_S = 10.0


class SpanCache:
    """Mean NLLs by a digest of all that decides them; holds about `mib` MiB and forgets the least used.

    With a path it is an SQLite file that survives a kill and that several processes of one machine may share;
    without, the same in memory. It only saves time, so it never raises: a file that is locked, broken or none
    of ours gets one warning and stays as it is, and memory takes its place.
    """

    def __init__(self, mib: float = 64, path: str | Path | None = None) -> None:
        self._size = int(mib * 2**20) // BYTES_PER_SPAN
        self._path = path
        try:
            self._open(path or ":memory:")
        except sqlite3.Error as error:
            self._go_on_in_memory(error)

    def get(self, keys: Iterable[bytes]) -> dict[bytes, float]:
        """What is known of `keys`, which thereby counts as used now."""
        try:
            return self._get(list(dict.fromkeys(keys)))
        except sqlite3.Error as error:
            self._go_on_in_memory(error)
            return {}

    def put(self, nlls: Mapping[bytes, float]) -> None:
        """Remember `nlls`, all at once or, after a kill, not at all. NaN and infinity are left out: what a
        broken forward pass gave may come out well the next time."""
        try:
            self._put({key: nll for key, nll in nlls.items() if math.isfinite(nll)})
        except sqlite3.Error as error:
            self._go_on_in_memory(error)

    def close(self) -> None:
        self._database.close()

    def _open(self, path: str | Path) -> None:
        # One thread at a time uses it, though not always the one that made it.
        self._database = sqlite3.connect(path, timeout=_BUSY_S, check_same_thread=False)
        self._added = 0
        # Readers and one writer at a time; a power cut may lose the last losses, never the file.
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=NORMAL")
        with self._database:
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS spans (key BLOB PRIMARY KEY, nll REAL NOT NULL, "
                "used INTEGER NOT NULL) WITHOUT ROWID"
            )
        (last,) = self._database.execute("SELECT max(used) FROM spans").fetchone()
        self._ticks = count((last or 0) + 1)

    def _go_on_in_memory(self, error: sqlite3.Error) -> None:
        logger.warning("can't use %s as a cache of losses: %s; going on without the file", self._path, error)
        self._open(":memory:")

    def _get(self, keys: list[bytes]) -> dict[bytes, float]:
        found: dict[bytes, float] = {}
        for start in range(0, len(keys), _KEYS_AT_ONCE):
            some = keys[start : start + _KEYS_AT_ONCE]
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
            # Counting is a pass over the file, so it may grow by a sixteenth in between.
            if self._added > self._size // 16:
                self._forget()

    def _forget(self) -> None:
        self._added = 0
        (held,) = self._database.execute("SELECT count(*) FROM spans").fetchone()
        self._database.execute(
            "DELETE FROM spans WHERE key IN (SELECT key FROM spans ORDER BY used LIMIT ?)",
            (max(0, held - self._size),),
        )
