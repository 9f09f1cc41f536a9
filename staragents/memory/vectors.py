"""Exact nearest neighbours among unit vectors in one array."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from staragents.memory.memory import DIGITS, Vector

Rows = NDArray[np.int64]

QUERIES = 64
"""Queries compared with all vectors in one matrix product, which reads every vector once for all of them."""
KEPT = 8192
"""Shortlists kept: more than the seeds between being read ahead and being committed."""


class Table(NamedTuple):
    """The vectors at one moment, shape (used or more, size), and their ascending numbers."""

    matrix: NDArray[np.float32]
    numbers: Rows
    used: int


@dataclass(frozen=True, slots=True)
class Shortlist:
    """Numbers of all vectors up to number `last` whose cosine to a query may exceed `cut`."""

    numbers: Rows
    last: int
    cut: float


class Vectors:
    """Vectors by ascending number, as they were added.

    The result of `nearest` is a function of the vectors alone, whatever their order, the machine's matrix
    product or its threads: candidates found in float32 are compared again in float64, row by row.

    A query that is announced by `expect` costs its share of a matrix product, in another thread if the caller
    likes, and afterwards only a comparison with what was added since. Otherwise all vectors are read for the
    query alone, which takes as long as memory needs for them: 154 MB at 100,000 vectors of 384 floats.
    """

    def __init__(self, size: int) -> None:
        # Of a product of unit vectors in float32 (Higham 2002, 3.1, doubled), and of the final rounding.
        self._error = size * 2.0**-23 + 10.0**-DIGITS
        self._table = Table(np.empty((0, size), np.float32), np.empty(0, np.int64), 0)
        self._shortlists: dict[str, Shortlist] = {}

    def __len__(self) -> int:
        return self._table.used

    def vector(self, row: int) -> Vector:
        return self._table.matrix[row]

    def add(self, number: int, vector: Vector) -> None:
        """Add a vector with a number larger than all before."""
        matrix, numbers, count = self._table
        if count == len(matrix):
            more = max(1024, count // 4)
            matrix = np.concatenate([matrix, np.empty((more, matrix.shape[1]), np.float32)])
            numbers = np.concatenate([numbers, np.empty(more, np.int64)])
        matrix[count], numbers[count] = vector, number
        # One assignment, so that `expect` in another thread sees a whole table.
        self._table = Table(matrix, numbers, count + 1)

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """Remove the other rows; `kept` has shape (len(self),)."""
        matrix, numbers, count = self._table
        self._table = Table(matrix[:count][kept], numbers[:count][kept], int(kept.sum()))

    def numbers(self, rows: Rows) -> list[int]:
        """The numbers of rows."""
        found: list[int] = self._table.numbers[rows].tolist()
        return found

    def rows(self, numbers: Sequence[int]) -> Rows:
        """The rows of those numbers that are present."""
        found, _ = self._positions(self._table, np.array(numbers, np.int64))
        return found

    def expect(self, names: Sequence[str], queries: NDArray[np.float32], limit: int) -> None:
        """Prepare `nearest` for named queries, shape (len(names), size), with at most `limit` results."""
        table = self._table
        for start in range(0, len(names), QUERIES):
            some = names[start : start + QUERIES]
            scores = queries[start : start + QUERIES] @ table.matrix[: table.used].T
            for name, score in zip(some, scores, strict=True):
                # A quarter more, so that a shortlist survives the eviction of some of its vectors.
                rows, cut = self._candidates(score, limit + limit // 4)
                last = int(table.numbers[table.used - 1]) if table.used else -1
                self._shortlists[name] = Shortlist(table.numbers[rows], last, cut)
        for name in list(self._shortlists)[:-KEPT]:
            self._shortlists.pop(name, None)

    def forget(self, name: str) -> None:
        """Drop what `expect` prepared."""
        self._shortlists.pop(name, None)

    def nearest(self, query: Vector, limit: int, name: str = "") -> tuple[Rows, NDArray[np.float64]]:
        """Rows and rounded cosines of the `limit` nearest vectors and of all that are as near as the last of
        them, in no particular order. `name`: of the query, if it was announced by `expect`."""
        table = self._table
        if (short := self._shortlists.get(name)) is not None:
            rows, since = self._positions(table, short.numbers, short.last)
            rows = np.concatenate([rows, np.arange(since, table.used)])
            best, cosines, least = self._best(table, rows, query, limit)
            # Vectors that are not on the list are below the cut, even with the error of their float32 cosine.
            if short.cut == -math.inf or least >= short.cut + self._error:
                return best, cosines
        rows, _ = self._candidates(table.matrix[: table.used] @ query, limit)
        best, cosines, _ = self._best(table, rows, query, limit)
        return best, cosines

    def _candidates(self, scores: NDArray[np.float32], limit: int) -> tuple[Rows, float]:
        """All rows that may be among the `limit` largest, and the score below which the others are."""
        if len(scores) <= limit:
            return np.arange(len(scores)), -math.inf
        cut = _largest(scores, limit) - 2.0 * self._error
        return np.flatnonzero(scores >= cut), cut

    @staticmethod
    def _best(table: Table, rows: Rows, query: Vector, limit: int) -> tuple[Rows, NDArray[np.float64], float]:
        """The best of `rows` as `nearest` returns them, and the least of their cosines, -inf if there are
        fewer than `limit`."""
        # Not a matrix product: each row is summed in the same order wherever it is.
        products = table.matrix[rows].astype(np.float64) * query.astype(np.float64)
        cosines = products.sum(axis=1).round(DIGITS)
        least = _largest(cosines, limit) if len(rows) >= limit else -math.inf
        return rows[cosines >= least], cosines[cosines >= least], least

    @staticmethod
    def _positions(table: Table, numbers: Rows, last: int = -1) -> tuple[Rows, int]:
        """The rows of those numbers that are present, and the first row after number `last`."""
        known = table.numbers[: table.used]
        places = np.searchsorted(known, numbers)
        inside = places < len(known)
        places, numbers = places[inside], numbers[inside]
        return places[known[places] == numbers], int(np.searchsorted(known, last, side="right"))


def _largest(values: NDArray[np.floating], rank: int) -> float:
    """The value of this rank, 1 for the largest."""
    place = len(values) - rank
    return float(np.partition(values, place)[place])
