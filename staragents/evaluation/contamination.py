"""Held-out conversations that a student has trained on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from staragents.base.errors import BadInput
from staragents.base.messages import Conversation
from staragents.data.readers.raw_row import shown
from staragents.evaluation.arm import Arm
from staragents.evaluation.held_out import HeldOut
from staragents.filters.contamination import compared
from staragents.text.words import words

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
    index: defaultdict[str, set[int]] = defaultdict(set)
    for number, one in enumerate(held_out):
        for text in (*_texts(one.prompt), *one.answers.values()):
            for key in compared(words(text), ngram):
                index[key].add(number)
    rows: dict[Conversation, str] = {}
    for arm in arms:
        for row in arm.rows:
            rows.setdefault(row.messages, arm.name)
    shared: dict[int, str] = {}
    for messages, name in rows.items():
        for text in _texts(messages):
            for key in compared(words(text), ngram):
                for number in index.get(key, ()):
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


def _texts(messages: Conversation) -> Iterator[str]:
    for turn in messages:
        if turn.role != "system":
            yield from turn.texts
