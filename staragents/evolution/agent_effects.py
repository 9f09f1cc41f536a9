"""The share of a pair's posterior that comes from other pairs with one of its agents."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from staragents.evolution.drawing import FloatArray


def design_of(agents: Sequence[tuple[str, str]]) -> tuple[tuple[str, ...], FloatArray] | None:
    """The agents of pairs, `i+` or `+r`, and the design matrix (pairs, agents): 1 where a pair has the agent.

    None if there are as many agents as pairs: then agents add no information.
    """
    left = sorted({one for one, _ in agents})
    right = sorted({other for _, other in agents})
    if len(left) + len(right) >= len(agents):
        return None
    design = np.zeros((len(agents), len(left) + len(right)))
    for row, (one, other) in enumerate(agents):
        design[row, left.index(one)] = design[row, len(left) + right.index(other)] = 1.0
    return (*(f"{one}+" for one in left), *(f"+{other}" for other in right)), design


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
