"""Checks the files of a local-mode memory bank without Qdrant."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

STORAGE = "collection/*/storage.sqlite"


def bank_damage(folder: Path, expected: bool) -> str | None:
    """What is wrong with the bank, or None if it is intact; `expected`: it should hold memories."""
    files = sorted(folder.glob(STORAGE))
    if expected and not files:
        return "missing, the run has memories"
    for file in files:
        try:
            # Not read-only: SQLite may have to roll back a transaction interrupted by a kill.
            with closing(sqlite3.connect(file)) as database:
                (answer,) = database.execute("PRAGMA quick_check(1)").fetchone()
                database.execute("SELECT count(*) FROM points").fetchone()
        except sqlite3.Error as error:
            return f"damaged ({error})"
        if answer != "ok":
            return f"damaged ({answer})"
    return None
