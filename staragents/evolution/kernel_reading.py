"""What outcomes on similar instructions say about each pair and each agent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from staragents.evolution.agent_effects import design_of
from staragents.evolution.drawing import FloatArray
from staragents.evolution.policy import RecalledOutcomes

# Weights fall by a factor e over this many standard deviations of the recalled similarities, so that they
# do not depend on the scale of an embedder's cosines.
WIDTH = 3.0
MIN_WIDTH = 1e-3
# Pseudo-observations of no effect, for a pair's or an agent's reading and for what all pairs have in common.
PRIOR = 8.0
PRIOR_COMMON = 3.0
MIN_SHARE = 1e-6


class KernelReading:
    """Kernel-weighted mean of residuals: rewards less what the pair earns in general.

    What the pairs of one seed have in common, how hard the seed was, is taken off each residual, estimated
    from the seed's other outcomes; then what all of them have in common, how hard such instructions are. What
    remains tells pairs apart. A pair's own reading is sum(w e) / (8 + sum(w)) over its residuals e. Agents'
    readings are a ridge regression of the same residuals on the agents of their pairs, with the same prior.
    """

    def __init__(self, pairs: Sequence[str], factors: Mapping[str, tuple[str, str]] | None) -> None:
        self.pairs = tuple(pairs)
        self._index = {pair: index for index, pair in enumerate(self.pairs)}
        self.agents: tuple[str, ...] = ()
        """`i+` for an instruction agent i, `+r` for a response agent r."""
        self.design: FloatArray | None = None
        """Shape (pairs, agents), 1 where a pair has that agent; None without shared agents."""
        if factors is not None and (made := design_of([factors[pair] for pair in pairs])) is not None:
            self.agents, self.design = made

    def read(
        self, recalled: RecalledOutcomes, means: FloatArray, seed_share: float
    ) -> tuple[FloatArray, FloatArray]:
        """Readings of the pairs and of the agents, on the scale of rewards.

        `means`: what each pair earns in general. `seed_share`: the share of a reward's variance that the
        pairs of one seed have in common. Pairs of other runs, which this one does not have, are left out.
        """
        indices = np.array([self._index.get(pair, -1) for pair in recalled.pairs], dtype=np.intp)
        known = indices >= 0
        if not known.any():
            return np.zeros(len(self.pairs)), np.zeros(len(self.agents))
        indices, cosines = indices[known], recalled.similarities[known]
        residuals = recalled.rewards[known] - means[indices]
        residuals -= _common(residuals, np.array(recalled.seed_ids)[known], seed_share)
        weights = np.exp((cosines - cosines.max()) / max(WIDTH * float(cosines.std()), MIN_WIDTH))
        residuals -= float(weights.dot(residuals)) / (float(weights.sum()) + PRIOR_COMMON)
        size = len(self.pairs)
        total: FloatArray = np.bincount(indices, weights, size).astype(np.float64)
        sums: FloatArray = np.bincount(indices, weights * residuals, size).astype(np.float64)
        return sums / (PRIOR + total), self._agents(total, sums)

    def _agents(self, weights: FloatArray, sums: FloatArray) -> FloatArray:
        if self.design is None:
            return np.zeros(0)
        precision = self.design.T @ (weights[:, None] * self.design)
        precision.flat[:: len(precision) + 1] += PRIOR
        return np.asarray(np.linalg.solve(precision, self.design.T @ sums))


def _common(residuals: FloatArray, seed_ids: np.ndarray, share: float) -> FloatArray:
    """For each outcome, the shrunken mean residual of the other outcomes of its seed."""
    starts = np.flatnonzero(np.concatenate([[True], seed_ids[1:] != seed_ids[:-1]]))
    counts = np.diff(np.append(starts, len(seed_ids)))
    others = np.repeat(np.add.reduceat(residuals, starts), counts) - residuals
    prior = (1.0 - share) / max(share, MIN_SHARE)
    return np.asarray(others / (np.repeat(counts, counts) - 1.0 + prior))
