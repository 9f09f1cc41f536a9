"""Exact duplicates of earlier conversations."""

from __future__ import annotations

import hashlib
import re
from functools import cache

from staragents.base.messages import Conversation
from staragents.text.character_classes import character_class
from staragents.text.words import folded, word_pattern

DIGEST_BYTES = 16
_DASHES = "-\u2010\u2011\u2012\u2013\u2212"
_MINUS = rf"(?<![^\W\d])[{_DASHES}](?=[.,]?\d)|(?<=[\d)] )[{_DASHES}](?= [\d(])"
# Between words as well, but not as the marks of bold and italic text.
_OPERATORS = r"(?<=[\w)])(?:\*\*?|[/^])(?=[\w(-])|(?<=[\w)] )(?:\*\*?|[/^%])(?= [\w(-])"
_SUFFIXES = r"(?<=\d)%|(?<=\d )%|(?<=\w)#"
_UNEQUAL = "!(?==)"


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
            said = " ".join(_said(message.content)) or message.content
            digest.update(f"\x1e{message.role}\x1f{said}".encode())
        self._last = digest.digest()
        return "an earlier row has the same words" if self._last in self._kept else None

    def keep(self) -> None:
        """Record that the conversation last passed to `find` stays in the dataset."""
        self._kept.add(self._last)


def _said(text: str) -> list[str]:
    """Words, and what distinguishes two sums, prices or programming languages."""
    return ["-" if token in _DASHES else token for token in _tokens().findall(folded(text))]


@cache
def _tokens() -> re.Pattern[str]:
    symbols = character_class(("Sm", "Sc"), without=_DASHES)
    return re.compile("|".join((word_pattern(), _MINUS, f"[{symbols}]", _OPERATORS, _SUFFIXES, _UNEQUAL)))
