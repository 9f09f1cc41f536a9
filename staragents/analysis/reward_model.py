"""What each pair earns on each kind of instruction, estimated from the logged draws of some seeds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Log:
    """Drawn candidates with a reward as columns; `seed` counts the seeds from 0, `kind` is that of the
    seed."""

    seed: Indices
    kind: Indices
    pair: Indices
    reward: Floats
    propensity: Floats

    def of(self, seeds: NDArray[np.bool_]) -> Log:
        """The rows of the marked seeds."""
        rows = seeds[self.seed]
        return Log(
            self.seed[rows], self.kind[rows], self.pair[rows], self.reward[rows], self.propensity[rows]
        )


def expected_rewards(log: Log, kinds: int, pairs: int) -> Floats:
    """Expected reward of every pair on every kind, shape (kinds, pairs).

    reward = mean + kind + pair + (kind, pair) + noise

    fitted in this order. The effects of pairs and of cells are shrunk by how much of their spread is more
    than noise (empirical Bayes, method of moments; Morris 1983), so that a pair which was drawn once on a
    kind is not taken for the best one there, and kinds that make no difference end with none.
    """
    if not len(log.reward):
        return np.zeros((kinds, pairs))
    mean = float(log.reward.mean())
    design = np.zeros((len(log.reward), kinds + pairs))
    design[np.arange(len(log.reward)), log.kind] = 1.0
    design[np.arange(len(log.reward)), kinds + log.pair] = 1.0
    # Together, because pairs are not drawn equally often on all kinds. `lstsq` gives the solution of least
    # norm, in which a pair or kind without rows has no effect.
    effects: Floats = np.linalg.lstsq(design, log.reward - mean, rcond=None)[0].astype(np.float64)
    residual = log.reward - mean - design @ effects
    noise = float(residual @ residual) / max(len(residual) - kinds - pairs + 1, 1)
    of_kinds, of_pairs = effects[:kinds], effects[kinds:]
    drawn = np.bincount(log.pair, minlength=pairs)
    usual = float(of_pairs @ drawn) / len(log.reward)
    of_pairs = _shrunk(of_pairs - usual, drawn, noise) + usual
    left = log.reward - mean - of_kinds[log.kind] - of_pairs[log.pair]
    cells = log.kind * pairs + log.pair
    number = np.bincount(cells, minlength=kinds * pairs)
    gaps = np.bincount(cells, left, minlength=kinds * pairs) / np.maximum(number, 1)
    both = _shrunk(gaps, number, noise).reshape(kinds, pairs)
    return np.clip(mean + of_kinds[:, None] + of_pairs[None, :] + both, 0.0, 1.0)


def _shrunk(effects: Floats, number: NDArray[np.intp], noise: float) -> Floats:
    """`effects` times their reliability; `number` observations with variance `noise` are behind each."""
    seen = int((number > 0).sum())
    excess = float(number @ (effects * effects)) - noise * seen
    between = max(excess, 0.0) / max(int(number.sum()), 1)
    return effects * (number * between / np.maximum(number * between + noise, 1e-12))
