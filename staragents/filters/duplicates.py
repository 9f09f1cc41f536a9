"""Exact duplicates of earlier conversations."""

from __future__ import annotations

import hashlib

from staragents.base.messages import Conversation
from staragents.filters.said_symbols import words_and_symbols

DIGEST_BYTES = 16


class ExactDuplicates:
    """Detects conversations with the same words and symbols, ignoring case, punctuation and spacing: 100
    bytes a row."""

    def __init__(self) -> None:
        self._kept: set[bytes] = set()
        self._last = b""

    def find(self, messages: Conversation) -> str | None:
        digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
        for message in messages:
            # A text without words or symbols, such as dots, is compared verbatim.
            said = " ".join(words_and_symbols(message.content)) or message.content
            digest.update(f"\x1e{message.role}\x1f{said}".encode())
        self._last = digest.digest()
        return "an earlier row has the same words" if self._last in self._kept else None

    def keep(self) -> None:
        """Record that the conversation last passed to `find` stays in the dataset."""
        self._kept.add(self._last)
