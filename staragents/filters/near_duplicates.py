"""Near duplicates of earlier conversations: MinHash of word shingles (datasketch)."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from staragents.base.messages import Conversation
from staragents.text.words import words

if TYPE_CHECKING:
    from datasketch import MinHash

PACKAGE = "datasketch"
PERMUTATIONS = 128
SHINGLE_WORDS = 3


def is_installed() -> bool:
    return importlib.util.find_spec(PACKAGE) is not None


class NearDuplicates:
    """Detects conversations whose three-word shingles have at least this estimated Jaccard similarity.

    The estimate has a standard error of sqrt(s (1 - s) / 128), 0.035 at s = 0.8. Rows to compare
    with come from a banded LSH index, which misses some near the threshold (Leskovec, Rajaraman, Ullman:
    Mining of Massive Datasets, 3.4).
    """

    def __init__(self, similarity: float) -> None:
        from datasketch import MinHashLSH

        self._similarity = similarity
        # Favour recall over precision: the similarity of every match is checked in `find`.
        self._index = MinHashLSH(threshold=similarity, num_perm=PERMUTATIONS, weights=(0.1, 0.9))
        self._kept: list[MinHash] = []
        self._last: MinHash | None = None

    def find(self, messages: Conversation) -> str | None:
        self._last = _signature(messages)
        if self._last is None:
            return None
        nearest = max(
            (self._last.jaccard(self._kept[row]) for row in self._index.query(self._last)), default=0.0
        )
        return f"an earlier row is {nearest:.2f} alike" if nearest >= self._similarity else None

    def keep(self) -> None:
        """Record that the conversation last passed to `find` stays in the dataset."""
        if self._last is not None:
            self._index.insert(len(self._kept), self._last, check_duplication=False)
            self._kept.append(self._last)


def _signature(messages: Conversation) -> MinHash | None:
    """None for a text too short for shingles: one common word would make two such texts similar."""
    from datasketch import MinHash

    found = [word for message in messages for word in words(message.content)]
    shingles = {
        " ".join(found[start : start + SHINGLE_WORDS]).encode()
        for start in range(len(found) - SHINGLE_WORDS + 1)
    }
    if len(shingles) < SHINGLE_WORDS:
        return None
    signature = MinHash(num_perm=PERMUTATIONS, scheme="affine32")
    signature.update_batch(shingles)
    return signature
