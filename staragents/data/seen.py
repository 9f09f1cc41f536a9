"""Detects repeated conversations in constant memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from types import TracebackType

from staragents.base.errors import RunFailed

CACHE_KIB = 8192


class Seen:
    """Digests in a temporary SQLite file with 8 MiB of cache, deleted on close.

    The collision probability among n different conversations is n^2 / 2^129: 1e-27 for a million.
    """

    def __init__(self) -> None:
        # An empty name makes a temporary file that SQLite removes. A run may close it from another thread.
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._count = 0
        for statement in (
            f"PRAGMA cache_size = -{CACHE_KIB}",
            "PRAGMA journal_mode = OFF",
            "CREATE TABLE seen (digest BLOB PRIMARY KEY, position INTEGER) WITHOUT ROWID",
            "BEGIN",
        ):
            self._database.execute(statement)

    def __enter__(self) -> Seen:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()

    def repeated(self, digests: Sequence[bytes]) -> list[bool]:
        """Which of these occurred before, here or in an earlier call. Raises RunFailed if the disk is
        full."""
        first = self._count
        self._count += len(digests)
        # The first index of each; sorted, as neighbouring keys share a page of the database index.
        first_index = {digest: first + len(digests) - 1 - i for i, digest in enumerate(reversed(digests))}
        try:
            with closing(self._database.cursor()) as cursor:
                cursor.executemany("INSERT OR IGNORE INTO seen VALUES (?, ?)", sorted(first_index.items()))
                if cursor.rowcount == len(digests):
                    return [False] * len(digests)
                find = "SELECT position FROM seen WHERE digest = ?"
                return [
                    cursor.execute(find, (digest,)).fetchone()[0] != first + i
                    for i, digest in enumerate(digests)
                ]
        except sqlite3.Error as error:
            raise RunFailed(f"can't write the duplicate index to the temporary folder: {error}") from error
