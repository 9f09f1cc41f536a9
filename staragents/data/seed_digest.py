"""A checksum of seeds in order that can be compared before all of them are read."""

from __future__ import annotations

import hashlib

BLOCK = 64
"""Seeds between two marks."""
MARK_BYTES = 8


class SeedDigest:
    """`sha256` of the seeds so far; `marks` has its first bytes after every `BLOCK` seeds."""

    def __init__(self) -> None:
        self.seeds = 0
        self.marks = bytearray()
        self._sha256 = hashlib.sha256()

    def add(self, digest: bytes) -> None:
        """Add the digest of the next seed."""
        self.seeds += 1
        self._sha256.update(digest)
        if self.at_mark:
            self.marks += self._sha256.digest()[:MARK_BYTES]

    @property
    def at_mark(self) -> bool:
        return self.seeds % BLOCK == 0

    @property
    def sha256(self) -> str:
        return self._sha256.hexdigest()

    def agrees(self, marks: bytes) -> bool:
        """Whether the newest mark is the one of all seeds, `marks`, at the same place."""
        newest = slice(len(self.marks) - MARK_BYTES, len(self.marks))
        return self.marks[newest] == marks[newest]
