"""What a field of a config declares besides its type, such as `Annotated[int, ONE_OR_MORE, Mark.on_resume]`.

The marks of a section hold for every setting in it. `staragents.config.tree.marks` reads them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any


class Mark(Enum):
    """What may alter a setting. One that is neither `on_resume` nor `live` determines the results of a run
    and is fixed once it has begun. Variants of a config may differ in all settings but `shared` ones."""

    on_resume = auto()
    """May change when a run resumes: affects where, how fast and how long it works, but not what it makes."""
    live = auto()
    """May change when a run resumes and while it is running, as the next coordinator reads it again. Settings
    without this mark are fixed in the running pools."""
    extensible = auto()
    """Entries may be added when a run resumes and while it is running. What was learned about the existing
    ones stays."""
    added = auto()
    """Added after runs had been saved without it. Its default means what those runs did, so the default is
    not part of a run's fingerprint."""
    empty = auto()
    """An empty text has a meaning of its own, other than that of an unset one."""
    shared = auto()
    """The same in all variants of a comparison, which otherwise could not share models and generations."""


@dataclass(frozen=True, slots=True)
class Range:
    """The valid numbers of a setting: `low` to `high`, both inclusive; `above` excludes `low`. `because`: why
    not others, where that is not plain."""

    low: float
    high: float = math.inf
    above: bool = False
    because: str = ""

    def holds(self, value: float) -> bool:
        """False for NaN and infinity, which are outside every range."""
        return (
            math.isfinite(value) and self.low <= value <= self.high and not (self.above and value == self.low)
        )

    def __str__(self) -> str:
        if self.high == math.inf:
            return f"more than {self.low:g}" if self.above else f"at least {self.low:g}"
        return f"{'more than ' if self.above else ''}{self.low:g} to {self.high:g}"


@dataclass(frozen=True, slots=True)
class Was:
    """The default, or what every run did, before the default that the setting has now.

    A fingerprint holds `value` for both, so that runs of earlier versions resume under the new default.
    """

    value: Any


@dataclass(frozen=True, slots=True)
class ReadBy:
    """Only models of this `kind` read the setting. Others may have inherited it, and their fingerprint holds
    its default."""

    kind: str


ONE_OR_MORE = Range(1)
ZERO_OR_MORE = Range(0)
POSITIVE = Range(0, above=True)
SHARE = Range(0, 1)
POSITIVE_SHARE = Range(0, 1, above=True)


@dataclass(frozen=True, slots=True)
class Location:
    """A path or an address. It may contain `${oc.env:NAME}`, as locations differ between machines.

    A secret does not belong in it, but in the environment variable that the setting `secret_in` names or, for
    `by_fsspec`, in the configuration of fsspec, which opens it.
    """

    secret_in: str | None = None
    by_fsspec: bool = False
