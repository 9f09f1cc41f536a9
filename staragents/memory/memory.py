"""One remembered winner, and its place in Qdrant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qdrant_client import models

from staragents.evolution.policy import Neighbour

Vector = NDArray[np.float32]

# Of a cosine: finer differences are rounding, and another machine rounds otherwise.
DIGITS = 6


@dataclass(frozen=True, slots=True)
class Memory:
    """A winner to remember: `order` is the place of its seed in the run, -1 if it was won in an earlier run.

    `vector` is the unit embedding of the seed's instruction, shape (size,).
    """

    point_id: str
    order: int
    seed_id: str
    pair: str
    reward: float
    vector: Vector

    def point(self, run: str, novelty: float) -> models.PointStruct:
        """`worth` = reward x novelty decides who stays in a full bank: what others say too can go."""
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
    def place(self) -> tuple[float, int, str]:
        """Sorts the nearest first, and equally near ones always alike: the latest, then by seed."""
        return -self.similarity, -self.payload["order"], self.payload["seed_id"]

    def neighbour(self) -> Neighbour:
        return Neighbour(self.payload["pair"], self.payload["reward"], self.similarity)
