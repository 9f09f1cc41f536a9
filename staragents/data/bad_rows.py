"""Counts the bad rows of a dataset."""

from __future__ import annotations

from collections import Counter

from staragents.base.errors import BadInput
from staragents.data.readers.raw_row import BadRow

PROBLEMS_SHOWN = 20
REASONS_KEPT = 50
OTHER_REASONS = "other reasons"


class BadRows:
    """`reasons` counts rows by kind of problem."""

    def __init__(self) -> None:
        self.count = 0
        self.reasons: Counter[str] = Counter()
        self._first: dict[str, str] = {}

    @property
    def problems(self) -> list[str]:
        """The first problem of each kind as file:row:field: message, with the number of rows like it; at most
        PROBLEMS_SHOWN kinds."""
        return [
            line if self.reasons[kind] == 1 else f"{line} ({self.reasons[kind]} rows like this)"
            for kind, line in self._first.items()
        ]

    def add(self, file: str, bad: BadRow) -> None:
        self.count += 1
        kind = bad.problem.kind
        known = kind in self.reasons or len(self.reasons) < REASONS_KEPT
        self.reasons[kind if known else OTHER_REASONS] += 1
        if len(self._first) < PROBLEMS_SHOWN and kind not in self._first:
            self._first[kind] = bad.located(file)

    def check(self, name: str, good: int, strict: bool, wanted: str) -> None:
        """Raises BadInput with all shown problems if there are bad rows and no `good` row, which is called
        `wanted`, or with `strict`."""
        if not self.count or (good and not strict):
            return
        problems = list(self.problems)
        if more := self.count - sum(self.reasons[kind] for kind in self._first):
            problems.append(f"{name}: and {more} more bad rows")
        if not good:
            problems.append(f"{name}: expected at least one {wanted}, got {self.count} bad ones")
        raise BadInput(problems)
