"""A remembered winner and its Qdrant point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from qdrant_client import models

Vector = NDArray[np.float32]

# Of a cosine: smaller differences are rounding errors that vary between machines.
DIGITS = 6


@dataclass(frozen=True, slots=True)
class Memory:
    """A winner to remember; `order` is its seed's position in the run, or -1 for a winner of an earlier run.

    `vector` is the unit embedding of the seed's instruction, shape (size,).
    """

    point_id: str
    order: int
    seed_id: str
    pair: str
    reward: float
    vector: Vector

    def point(self, run: str, novelty: float) -> models.PointStruct:
        """A full bank keeps the points of largest `worth` = reward x novelty and evicts redundant ones."""
        from qdrant_client import models

        return models.PointStruct(
            id=self.point_id,
            vector=self.vector.tolist(),
            payload={
                "run": run,
                "order": self.order,
                "seed_id": self.seed_id,
                "pair": self.pair,
                "reward": self.reward,
                "worth": round(self.reward * novelty, DIGITS),
            },
        )


@dataclass(frozen=True, slots=True)
class Recalled:
    """A point that a query found; `similarity` is the cosine."""

    point_id: str
    similarity: float
    payload: dict[str, Any]

    @classmethod
    def read(cls, point: models.ScoredPoint) -> Recalled:
        return cls(str(point.id), round(point.score, DIGITS), point.payload or {})

    @property
    def sort_key(self) -> tuple[float, int, str]:
        """Nearest first; ties are broken by the latest order, then by seed id."""
        return -self.similarity, -self.payload["order"], self.payload["seed_id"]
