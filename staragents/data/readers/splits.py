"""The split that a file, folder or JSON field is named after, as `datasets` reads such names."""

from __future__ import annotations

import re
from collections.abc import Iterable

TRAIN = "train"
HELD_OUT = ("validation", "test")
KEYWORDS = {
    "train": TRAIN, "training": TRAIN,
    "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation",
    "test": "test", "testing": "test", "eval": "test", "evaluation": "test",
}  # fmt: skip

_BETWEEN = re.compile(r"[\W\d_]+")


def split_of(name: str) -> str | None:
    """`train`, `validation` or `test` if a word of the name says so; None otherwise."""
    return next((KEYWORDS[word] for word in _BETWEEN.split(name.lower()) if word in KEYWORDS), None)


def training_name(names: Iterable[str]) -> str | None:
    """The one of these split names to train on: `train`, or the only one that is a training split. None if
    the choice is open, as between train_sft and train_prefs, or if there is only held-out data."""
    known = list(names)
    if TRAIN in known or len(known) == 1:
        return TRAIN if TRAIN in known else known[0]
    training = [name for name in known if split_of(name) == TRAIN]
    return training[0] if len(training) == 1 else None
