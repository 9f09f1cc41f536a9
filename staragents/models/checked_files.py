"""Checksums of installed weights, remembered by the files' sizes and modification times."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from staragents.base.environment import cache_dir

BLOCK_BYTES = 1 << 20


def digest(files: Sequence[Path], expected: str) -> str:
    """SHA-256 of the files' concatenation, as hex.

    If it was `expected` before and no file has changed since, it is not computed again: 90 MB take a third
    of a second, and every command that reads a config checks them. Only success is remembered, by an empty
    file in the cache folder whose name is derived from all of this: concurrent writers do no harm, and there
    is no content that could be damaged. Raises FileNotFoundError.
    """
    known = cache_dir() / "checked" / _name(files, expected)
    with suppress(OSError):
        if known.is_file():
            return expected
    found = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(BLOCK_BYTES):
                found.update(block)
    if found.hexdigest() == expected:
        with suppress(OSError):  # a cache folder that can't be written to costs only time
            known.parent.mkdir(parents=True, exist_ok=True)
            known.touch()
    return found.hexdigest()


def _name(files: Sequence[Path], expected: str) -> str:
    facts = [(str(file.absolute()), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return hashlib.sha256(repr((expected, facts)).encode()).hexdigest()[:32]
