"""Which instructions of a table are nearest to each one, computed once for all orders of a replay."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from staragents.evolution.drawing import FloatArray
from staragents.memory.memory import DIGITS

# A cosine and a rank of every two instructions take six bytes; above this size they are computed at each
# turn.
MAX_RANKED = 8_000
BLOCK = 512


class Nearness:
    """Cosines of unit vectors. Equal cosines are ordered by row, so that a replay repeats itself."""

    def __init__(self, vectors: NDArray[np.float32]) -> None:
        """`vectors` has shape (instructions, size)."""
        self._vectors = vectors
        size = len(vectors)
        self._ranked: NDArray[np.unsignedinteger] | None = None
        self._cosines: NDArray[np.float32] | None = None
        if size <= MAX_RANKED:
            self._cosines = np.empty((size, size), dtype=np.float32)
            self._ranked = np.empty((size, size), dtype=np.uint16)
            for start in range(0, size, BLOCK):
                block = slice(start, start + BLOCK)
                self._cosines[block] = (vectors[block] @ vectors.T).round(DIGITS)
                self._ranked[block] = np.argsort(-self._cosines[block], axis=1, kind="stable")

    def nearest(self, row: int, among: NDArray[np.bool_], number: int) -> tuple[NDArray[np.intp], FloatArray]:
        """The `number` nearest of the marked rows, most similar first, and their cosines."""
        if self._ranked is None or self._cosines is None:
            rows = np.flatnonzero(among)
            cosines = (self._vectors[rows] @ self._vectors[row]).round(DIGITS)
            order = np.argsort(-cosines, kind="stable")[:number]
            return rows[order], cosines[order].astype(np.float64)
        ranked = self._ranked[row]
        nearest = ranked[among[ranked]][:number].astype(np.intp)
        return nearest, self._cosines[row, nearest].astype(np.float64)
