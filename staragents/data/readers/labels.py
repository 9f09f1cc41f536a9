"""Labels that say whether a row's answer is one to learn from, as in data for KTO."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from staragents.data.readers.column_names import snake
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
"""What a column says of the answer, as `is_correct`, `answerCorrect` and `is_good_answer` do. Without a word
before it, it may be a column of anything else: only true and false are clear there, as in `label`, which may
be a class."""
TRAINING_MARKS = frozenset(("weight", "train", "training", "trained", "trainable", "learn", "loss"))
"""Words in keys of a turn that trainers skip if the value is 0 or false."""
SKIP_MARKS = frozenset(("masked", "ignore", "ignored", "skip", "skipped", "exclude", "excluded"))
"""Words in keys of a turn that trainers skip if the value is true."""
_SURE = ("is", "was")
_BESIDE = frozenset((*_SURE, "kto", "answer", "response", "output", "completion", "solution", "generation"))
_YES, _NO = ("1", "1.0", "true", "yes"), ("0", "0.0", "false", "no")
_TRUE_OR_FALSE = ("true", "false")
_ALSO_ANSWERS = ("chosen", "rejected")
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
    **dict.fromkeys(("1", "1.0", "yes", "positive", *WANTED), True),
    **dict.fromkeys(("0", "0.0", "-1", "-1.0", "no", "negative", *UNWANTED), False),
}
"""These count in columns that are nothing but labels. In `label`, 0 and `bad` may be a class or not."""
_UNCLEAR = ("0", "0.0", "-1", "-1.0", *UNWANTED)
_ADJECTIVES = frozenset((*WANTED, *UNWANTED))


@lru_cache(MOST_NAMES)
def words_of(name: str) -> tuple[str, ...]:
    """`answerCorrect`, `answer_correct` and `Answer Correct` as `answer` and `correct`."""
    return tuple(snake(name).strip("_").split("_"))


@lru_cache(MOST_NAMES)
def is_label(name: str) -> bool:
    """Whether a column says if the row's answer is one to learn from."""
    return name in LABELS or _adjective(name) is not None


@lru_cache(MOST_NAMES)
def _adjective(name: str) -> str | None:
    """What the name says of the answer: `correct` for `correct`, `answerCorrect` and `is_correct_answer`, but
    None for `correct_answer`, which is one."""
    words = words_of(name)
    found = [word for word in words if word in _ADJECTIVES]
    if len(found) != 1 or not _BESIDE.issuperset(word for word in words if word != found[0]):
        return None
    return found[0] if words[-1] == found[0] or any(word in _SURE for word in words) else None


def labels_in(names: Iterable[object], named: str | None) -> tuple[str, ...]:
    """The columns to check: the one that the user named, none for an empty name, else those known."""
    if named is not None:
        return (named,) if named else ()
    return tuple(name for name in names if isinstance(name, str) and is_label(name))


def check_label(value: Any, name: str, is_named: bool, setting: str) -> None:
    """Raises InvalidRow if the answer is labelled as not wanted, or if that can't be told."""
    word = _word(value)
    adjective = _adjective(name)
    is_alone = name not in LABELS and len(words_of(name)) == 1
    # A cell of CSV is text, whatever it means.
    is_answer = (
        is_alone and not isinstance(value, bool) and (name in _ALSO_ANSWERS or word not in _TRUE_OR_FALSE)
    )
    is_sure = is_named or not (is_alone or name in _ALSO_CLASSES)
    wanted = None if is_answer and not is_named else _TRUTHS.get(word)
    if wanted is None and (
        is_sure or (word in _UNCLEAR if name in _ALSO_CLASSES else name not in _ALSO_ANSWERS)
    ):
        wanted = _DOUBTFUL.get(word)
    if wanted is not None and adjective in UNWANTED and word not in _ADJECTIVES:
        wanted = not wanted
    how = setting.format("label")
    if wanted is False and not is_sure and word not in _TRUTHS:
        hint = f": set {how} to its name if that means an unwanted answer, and to nothing if not"
        raise InvalidRow(name, "expected a label of true or false", shown(value), hint)
    if wanted is False:
        raise InvalidRow(
            name, "expected a wanted answer", shown(value), f"; to take all rows, set {how} to nothing"
        )
    # "Incomplete" is no yes to `is_valid`; a score is neither.
    is_asked = isinstance(value, str) and bool(word) and any(said in _SURE for said in words_of(name))
    if wanted is None and (is_named or is_asked):
        hint = "" if is_named else f"; to take all rows, set {how} to nothing"
        raise InvalidRow(name, "expected a label of true or false", shown(value), hint)


def check_turn(turn: dict[str, Any], field: str) -> None:
    """Raises InvalidRow if a trainer would skip the turn."""
    for name, value in turn.items():
        words = set(words_of(name)) if isinstance(name, str) else set()
        if words & SKIP_MARKS:
            is_skipped = _word(value) in _YES
        elif words & TRAINING_MARKS:
            is_skipped = _word(value) in (_YES if "no" in words else _NO)
        else:
            continue
        if is_skipped:
            raise InvalidRow(f"{field}.{name}", "expected an answer to learn from", shown(value))


def _word(value: Any) -> str:
    return str(value).strip().lower() if isinstance(value, str | int | float) else ""
