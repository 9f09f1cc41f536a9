"""Held-out conversations that a student has trained on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from staragents.base.errors import BadInput
from staragents.base.messages import Conversation
from staragents.data.readers.raw_row import shown
from staragents.evaluation.arm import Arm
from staragents.evaluation.held_out import HeldOut
from staragents.filters.contamination import compared
from staragents.text.words import words

HASH = np.dtype(np.uint64)
MOST_SHARED = 0.1
"""Share of the held-out conversations beyond which the file was evidently not held out."""


def without_contaminated(
    arms: Sequence[Arm], held_out: Sequence[HeldOut], path: str, ngram: int
) -> tuple[tuple[HeldOut, ...], list[str]]:
    """The held-out conversations that share no text with a row of any arm, and a warning about the others.

    The rule is that of the filter `contamination`: `ngram` consecutive words in common, or a whole shorter
    turn, in prompts and answers; system prompts, which many rows share, do not count. What one arm has seen
    is left out for all arms, so that they remain comparable.

    Raises BadInput, naming the first one and how many there are, if more than a tenth is shared.
    """
    index = _Index([(*_texts(one.prompt), *one.answers.values()) for one in held_out], ngram)
    rows: dict[Conversation, str] = {}
    for arm in arms:
        for row in arm.rows:
            rows.setdefault(row.messages, arm.name)
    shared: dict[int, str] = {}
    for messages, name in rows.items():
        for number in index.sharing(_texts(messages)):
            shared.setdefault(number, name)
    if not shared:
        return tuple(held_out), []
    first = min(shared)
    what = (
        f"{len(shared)} of {len(held_out)} conversations share a text with rows that students are trained "
        f"on; the first: {shown(held_out[first].prompt[-1].content)}, in the arm {shared[first]}"
    )
    if len(shared) > MOST_SHARED * len(held_out):
        raise BadInput(f"--held-out {path}: expected conversations that no arm has, but {what}")
    return tuple(one for number, one in enumerate(held_out) if number not in shared), [f"left out: {what}"]


class _Index:
    """Finds the conversations that share a text, by hashes of what is compared: 12 bytes a word, where the
    words themselves would take 400 and a large file several GB.

    Two different texts have the same hash with a probability of 2^-64. Among ten million words of held-out
    conversations and as many of rows, that is once in 200,000 files, and costs one conversation.
    """

    def __init__(self, texts: Sequence[Iterable[str]], ngram: int) -> None:
        """`texts`: those of each conversation."""
        self._ngram = ngram
        hashes = [self._hashes(some) for some in texts]
        found = np.concatenate([np.empty(0, HASH), *hashes])
        order = found.argsort()
        self._sorted = found[order]
        self._numbers = np.repeat(np.arange(len(hashes), dtype=np.uint32), list(map(len, hashes)))[order]

    def sharing(self, texts: Iterable[str]) -> set[int]:
        """The numbers of the conversations that share one of these texts."""
        hashes = self._hashes(texts)
        first = self._sorted.searchsorted(hashes)
        last = self._sorted.searchsorted(hashes, side="right")
        at = np.flatnonzero(last > first)
        return {
            number
            for start, end in zip(first[at], last[at], strict=True)
            for number in self._numbers[start:end].tolist()
        }

    def _hashes(self, texts: Iterable[str]) -> np.ndarray:
        keys = (key for text in texts for key in compared(words(text), self._ngram))
        # Not Python's hash, which differs between processes: a collision should be the same in every call.
        digests = (hashlib.blake2b(key.encode(), digest_size=HASH.itemsize).digest() for key in keys)
        return np.frombuffer(b"".join(digests), HASH)


def _texts(messages: Conversation) -> Iterator[str]:
    for turn in messages:
        if turn.role != "system":
            yield from turn.texts
