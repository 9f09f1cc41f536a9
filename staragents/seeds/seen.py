"""Which conversations came before, in memory that does not grow with the data."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from types import TracebackType

from staragents.errors import RunFailed

CACHE_KIB = 8192


class Seen:
    """Digests in a temporary SQLite file, of which 8 MiB are in memory; it goes when this is closed.

    Among n different conversations the chance of one that is taken for another is n^2 / 2^129: 1e-27 for a
    million.
    """

    def __init__(self) -> None:
        # An empty name is a temporary file that SQLite removes itself; a run may end in another thread.
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._count = 0
        for statement in (
            f"PRAGMA cache_size = -{CACHE_KIB}",
            "PRAGMA journal_mode = OFF",
            "CREATE TABLE seen (digest BLOB PRIMARY KEY, place INTEGER) WITHOUT ROWID",
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
        """Which of these came before, here or in an earlier call. Raises RunFailed if the disk is full."""
        first = self._count
        self._count += len(digests)
        # The first place of each; in order, as neighbours in the index lie on one page.
        places = {digest: first + len(digests) - 1 - i for i, digest in enumerate(reversed(digests))}
        try:
            with closing(self._database.cursor()) as cursor:
                cursor.executemany("INSERT OR IGNORE INTO seen VALUES (?, ?)", sorted(places.items()))
                if cursor.rowcount == len(digests):
                    return [False] * len(digests)
                find = "SELECT place FROM seen WHERE digest = ?"
                return [
                    cursor.execute(find, (digest,)).fetchone()[0] != first + i
                    for i, digest in enumerate(digests)
                ]
        except sqlite3.Error as error:
            raise RunFailed(f"can't note which seeds came before in the temporary folder: {error}") from error
