"""The files of a memory bank in local mode, looked at without Qdrant."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

STORAGE = "collection/*/storage.sqlite"


def bank_damage(folder: Path, expected: bool) -> str | None:
    """What is wrong with a bank that is `expected` to hold memories; None if it is whole."""
    files = sorted(folder.glob(STORAGE))
    if expected and not files:
        return "missing, the run has memories"
    for file in files:
        try:
            # Not read-only: SQLite may have to undo what a kill left half done.
            with closing(sqlite3.connect(file)) as database:
                (answer,) = database.execute("PRAGMA quick_check(1)").fetchone()
                database.execute("SELECT count(*) FROM points").fetchone()
        except sqlite3.Error as error:
            return f"damaged ({error})"
        if answer != "ok":
            return f"damaged ({answer})"
    return None
