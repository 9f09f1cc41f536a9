"""Labels that say whether a row's answer is one to learn from, as in data for KTO."""

from __future__ import annotations

from typing import Any

from staragents.data.readers.raw_row import InvalidRow, shown

LABELS = (
    "kto_tag", "kto_label", "label", "is_chosen", "is_preferred", "is_desirable", "desirable", "chosen",
    "is_correct", "correct", "is_accepted", "accepted",
)  # fmt: skip
"""`label` is also a class, and `chosen`, `correct` and `accepted` are also answers: only true and false count
there."""
TRAINING_MARKS = (
    "weight", "train", "training", "train_on_turn", "trainable", "loss", "loss_mask", "loss_scale",
    "loss_weight", "output_with_loss",
)  # fmt: skip
"""Keys of a turn that trainers skip if the value is 0 or false."""
_ONLY_TRUTH = ("label", "chosen", "correct", "accepted")
_ALSO_ANSWERS = _ONLY_TRUTH[1:]
_WORDS = {
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


def labels_in(names: Any, named: str | None) -> tuple[str, ...]:
    """The columns to check: the one that the user named, none for an empty name, else those known."""
    if named is not None:
        return (named,) if named else ()
    return tuple(name for name in LABELS if name in names)


def check_label(value: Any, name: str, is_named: bool, setting: str) -> None:
    """Raises InvalidRow if the answer is labelled as not wanted, or if that can't be told."""
    word = str(value).strip().lower() if isinstance(value, str | int | float) else ""
    wanted = _WORDS.get(word) if name not in _ALSO_ANSWERS or isinstance(value, bool) else None
    how = setting.format("label")
    if wanted is None and word in _DOUBTFUL:
        if is_named or name not in _ONLY_TRUTH:
            wanted = _DOUBTFUL[word]
        elif name == "label" and word in _UNCLEAR:
            hint = f": set {how} to its name if that means an unwanted answer, and to nothing if not"
            raise InvalidRow(name, "expected a label of true or false", shown(value), hint)
    if wanted is False:
        raise InvalidRow(
            name, "expected a wanted answer", shown(value), f"; to take all rows, set {how} to nothing"
        )
    if wanted is None and is_named:
        raise InvalidRow(name, "expected a label of true or false", shown(value))


def check_turn(turn: dict[str, Any], field: str) -> None:
    """Raises InvalidRow if a trainer would skip the turn."""
    for name in TRAINING_MARKS:
        value = turn.get(name)
        off = value.strip().lower() in ("0", "0.0", "false") if isinstance(value, str) else value == 0
        if off:
            raise InvalidRow(f"{field}.{name}", "expected an answer to learn from", shown(value))
