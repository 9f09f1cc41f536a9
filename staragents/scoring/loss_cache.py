"""Losses that were computed before, in memory or in a file, bounded."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from itertools import count
from pathlib import Path

from staragents.errors import BadInput
from staragents.scoring.ifd import Score, Status

# SQLite takes at most 999 parameters in older builds.
_KEYS_AT_ONCE = 500
_BUSY_S = 60.0


class LossCache:
    """Scores by a digest of all that decides them; holds at most about `size` and forgets the least used.

    With a path it is an SQLite file that several processes may share and that survives a kill; without, the
    same in memory, about 200 bytes a score. Raises BadInput if the file is no such cache or can't be written.
    """

    def __init__(self, size: int, path: str | Path | None = None) -> None:
        self._size = size
        self._added = 0
        try:
            self._database = sqlite3.connect(path or ":memory:", timeout=_BUSY_S, check_same_thread=False)
            # Readers and one writer at a time; a power cut may lose the last losses, never the file.
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=NORMAL")
            with self._database:
                self._database.execute(
                    "CREATE TABLE IF NOT EXISTS losses (key BLOB PRIMARY KEY, nll_cond REAL, "
                    "nll_direct REAL, tokens INTEGER, tokens_total INTEGER, answer_bytes INTEGER, "
                    "status TEXT, used INTEGER) WITHOUT ROWID"
                )
                self._database.execute("CREATE INDEX IF NOT EXISTS losses_used ON losses (used)")
            (last,) = self._database.execute("SELECT max(used) FROM losses").fetchone()
        except sqlite3.Error as error:
            raise BadInput(f"--cache: can't use {path} as a cache: {error}") from error
        self._ticks = count((last or 0) + 1)

    def get(self, keys: Iterable[bytes]) -> dict[bytes, Score]:
        """What is known of `keys`, which thereby counts as used now."""
        wanted = list(dict.fromkeys(keys))
        found: dict[bytes, Score] = {}
        for start in range(0, len(wanted), _KEYS_AT_ONCE):
            some = wanted[start : start + _KEYS_AT_ONCE]
            marks = ",".join("?" * len(some))
            for key, cond, direct, tokens, total, size, status in self._database.execute(
                "SELECT key, nll_cond, nll_direct, tokens, tokens_total, answer_bytes, status "
                f"FROM losses WHERE key IN ({marks})",
                some,
            ):
                found[key] = Score(cond, direct, tokens, total, size, Status(status))
        now = next(self._ticks)
        with self._database:
            self._database.executemany("UPDATE losses SET used = ? WHERE key = ?", ((now, k) for k in found))
        return found

    def put(self, scores: Mapping[bytes, Score]) -> None:
        """Remember `scores`, all at once or, after a kill, not at all."""
        now = next(self._ticks)
        with self._database:
            self._database.executemany(
                "INSERT OR REPLACE INTO losses VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    (
                        k,
                        s.nll_cond,
                        s.nll_direct,
                        s.tokens,
                        s.tokens_total,
                        s.answer_bytes,
                        s.status.value,
                        now,
                    )
                    for k, s in scores.items()
                ),
            )
            self._added += len(scores)
            # Counting is a pass over the file, so it may grow by a sixteenth in between.
            if self._added > self._size // 16:
                self._forget()

    def close(self) -> None:
        self._database.close()

    def _forget(self) -> None:
        self._added = 0
        (held,) = self._database.execute("SELECT count(*) FROM losses").fetchone()
        self._database.execute(
            "DELETE FROM losses WHERE key IN (SELECT key FROM losses ORDER BY used LIMIT ?)",
            (max(0, held - self._size),),
        )
