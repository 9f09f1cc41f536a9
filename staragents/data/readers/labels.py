"""Labels that say whether a row's answer is one to learn from, as in data for KTO."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from staragents.data.readers.raw_row import InvalidRow, shown

MOST_NAMES = 1000
LABELS = ("label", "labels", "kto_tag", "kto_label")
WANTED = (
    "chosen", "preferred", "desirable", "desired", "correct", "accepted", "approved", "good", "wanted",
    "valid", "liked", "passed", "upvoted",
)  # fmt: skip
UNWANTED = (
    "rejected", "dispreferred", "undesirable", "undesired", "incorrect", "wrong", "bad", "unwanted",
    "invalid", "disliked", "failed", "downvoted",
)  # fmt: skip
"""What a column says of the answer, by its last word, as `is_correct` and `answerCorrect` do. Without a word
before it, it is also a column of answers or of anything else: only true and false count there, as in `label`,
which is also a class."""
TRAINING_MARKS = frozenset(("weight", "train", "training", "trained", "trainable", "learn", "loss"))
"""Words in keys of a turn that trainers skip if the value is 0 or false."""
SKIP_MARKS = frozenset(("masked", "ignore", "ignored", "skip", "skipped", "exclude", "excluded"))
"""Words in keys of a turn that trainers skip if the value is true."""
_BEFORE = frozenset(
    ("is", "was", "kto", "answer", "response", "output", "completion", "solution", "generation")
)
_ALSO_CLASSES = ("label", "labels")
_TRUTHS = {
    "true": True,
    "false": False,
    "desirable": True,
    "undesirable": False,
    "chosen": True,
    "rejected": False,
}
_DOUBTFUL = {
    **dict.fromkeys(("1", "1.0", "good", "yes", "positive"), True),
    **dict.fromkeys(("0", "0.0", "-1", "-1.0", "bad", "no", "negative"), False),
}
"""These count in columns that are nothing but labels. In `label`, 0 and `bad` may be a class or not."""
_UNCLEAR = ("0", "0.0", "-1", "-1.0", "bad")


@lru_cache(MOST_NAMES)
def words_of(name: str) -> tuple[str, ...]:
    """`answerCorrect`, `answer_correct` and `Answer Correct` as `answer` and `correct`."""
    return tuple(
        re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)
        .lower()
        .replace("-", "_")
        .replace(" ", "_")
        .strip("_")
        .split("_")
    )


@lru_cache(MOST_NAMES)
def is_label(name: str) -> bool:
    """Whether a column says if the row's answer is one to learn from."""
    *before, last = words_of(name)
    return name in LABELS or (last in (*WANTED, *UNWANTED) and _BEFORE.issuperset(before))


def labels_in(names: Iterable[object], named: str | None) -> tuple[str, ...]:
    """The columns to check: the one that the user named, none for an empty name, else those known."""
    if named is not None:
        return (named,) if named else ()
    return tuple(name for name in names if isinstance(name, str) and is_label(name))


def check_label(value: Any, name: str, is_named: bool, setting: str) -> None:
    """Raises InvalidRow if the answer is labelled as not wanted, or if that can't be told."""
    word = str(value).strip().lower() if isinstance(value, str | int | float) else ""
    *before, last = words_of(name)
    is_adjective = not before and name not in LABELS
    wanted = None if is_adjective and not isinstance(value, bool) and not is_named else _TRUTHS.get(word)
    how = setting.format("label")
    if wanted is None and word in _DOUBTFUL:
        if is_named or not (is_adjective or name in _ALSO_CLASSES):
            wanted = _DOUBTFUL[word]
        elif name in _ALSO_CLASSES and word in _UNCLEAR:
            hint = f": set {how} to its name if that means an unwanted answer, and to nothing if not"
            raise InvalidRow(name, "expected a label of true or false", shown(value), hint)
    if wanted is not None and last in UNWANTED and word not in UNWANTED:
        wanted = not wanted
    if wanted is False:
        raise InvalidRow(
            name, "expected a wanted answer", shown(value), f"; to take all rows, set {how} to nothing"
        )
    if wanted is None and is_named:
        raise InvalidRow(name, "expected a label of true or false", shown(value))


def check_turn(turn: dict[str, Any], field: str) -> None:
    """Raises InvalidRow if a trainer would skip the turn."""
    for name, value in turn.items():
        words = set(words_of(name)) if isinstance(name, str) else set()
        word = str(value).strip().lower() if isinstance(value, str | int | float) else ""
        if (words & TRAINING_MARKS and word in ("0", "0.0", "false")) or (
            words & SKIP_MARKS and word in ("1", "1.0", "true")
        ):
            raise InvalidRow(f"{field}.{name}", "expected an answer to learn from", shown(value))
