"""The share of a pair's posterior that comes from other pairs with one of its agents."""

from __future__ import annotations

import numpy as np

from staragents.evolution.drawing import FloatArray


class AgentEffects:
    """What the other pairs of its agents say about a pair's score."""

    def __init__(
        self, design: FloatArray, number: FloatArray, shrink: float, noise: float, variance: float
    ) -> None:
        """`design` has shape (pairs, agents); `number` counts each pair's scores.

        `noise` is the variance of one score, `shrink` the noise over the variance of the interactions,
        `variance` that of the agents' effects.
        """
        precision = number + shrink
        main = (design.T * (number * shrink / precision)) @ design
        main.flat[:: len(main) + 1] += noise / variance
        self._design, self._noise = design, noise
        self._covariance = np.linalg.inv(main)
        self._unseen = shrink / precision

    def mean(self, sums: FloatArray) -> FloatArray:
        """`sums`: each pair's scores relative to the mean, summed."""
        found = self._covariance @ (self._design.T @ (self._unseen * sums))
        return np.asarray(self._unseen * (self._design @ found))

    def variance(self) -> FloatArray:
        spread = ((self._design @ self._covariance) * self._design).sum(axis=1)
        return np.asarray(self._noise * self._unseen * self._unseen * spread)
