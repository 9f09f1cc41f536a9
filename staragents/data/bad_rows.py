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
        self._firsts: dict[str, str] = {}

    def add(self, file: str, bad: BadRow) -> None:
        self.count += 1
        kind = bad.problem.kind
        known = kind in self.reasons or len(self.reasons) < REASONS_KEPT
        self.reasons[kind if known else OTHER_REASONS] += 1
        if known and kind not in self._firsts:
            self._firsts[kind] = bad.located(file)

    @property
    def problems(self) -> list[str]:
        """The first row of each kind of problem as file:row:field: message, with the number of rows like it;
        at most PROBLEMS_SHOWN kinds."""
        return [
            first if self.reasons[kind] == 1 else f"{first}; and {_rows(self.reasons[kind] - 1)} like it"
            for kind, first in list(self._firsts.items())[:PROBLEMS_SHOWN]
        ]

    def check(self, name: str, good: int, strict: bool, wanted: str) -> None:
        """Raises BadInput with all shown problems if there are bad rows and no `good` row, which is called
        `wanted`, or with `strict`."""
        if not self.count or (good and not strict):
            return
        problems = self.problems
        shown = sum(self.reasons[kind] for kind in list(self._firsts)[:PROBLEMS_SHOWN])
        if self.count > shown:
            problems.append(f"{name}: and {self.count - shown} more bad rows")
        if not good:
            problems.append(f"{name}: expected at least one {wanted}, got {self.count} bad ones")
        raise BadInput(problems)


def _rows(count: int) -> str:
    return f"{count} more row{'s' if count > 1 else ''}"
