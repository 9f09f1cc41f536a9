"""Drawing a fixed number of pairs without replacement so that inclusion probabilities are exact.

The probabilities come first and the sample is made to have them (systematic sampling, Madow 1949), so a
logged propensity is the true one, which successive weighted draws would only give by enumeration.
"""

from __future__ import annotations

from collections.abc import Container, Mapping

import numpy as np
import numpy.typing as npt

from staragents.evolution.policy import Drawn

FloatArray = npt.NDArray[np.float64]

# Uniform share of every draw, whatever the policy: a propensity of 0 could never be corrected for, and a
# pair at p = 0 could never come back. Too small to change which pairs a run calls.
SMALLEST_FLOOR = 1e-6
# A group whose weights are all 0 would divide by 0; far below any p that a run can tell from 0.
SMALLEST_WEIGHT = 1e-200


def proportional(weights: FloatArray, count: int) -> FloatArray:
    """Inclusion probabilities that sum to `count`, proportional to `weights` as far as none passes 1.

    What a pair can't take is spread over the others in proportion. `count` is at most the number of
    weights, which are 0 or more.
    """
    if count == len(weights):
        return np.ones(len(weights))
    weights = np.maximum(weights, SMALLEST_WEIGHT)
    certain = np.zeros(len(weights), dtype=bool)
    while True:
        scale = (count - certain.sum()) / weights[~certain].sum()
        inclusion = np.where(certain, 1.0, weights * scale)
        over = inclusion > 1.0
        if not over.any():
            return inclusion
        certain |= over


def with_floor(inclusion: FloatArray, floor: float) -> FloatArray:
    """Mix a share `floor` of the uniform draw of the same size in; the sum stays."""
    floor = max(floor, SMALLEST_FLOOR)
    return (1.0 - floor) * inclusion + floor * inclusion.sum() / len(inclusion)


def draw_pairs(inclusion: Mapping[str, float], seed: int, group: Container[str] = ()) -> list[Drawn]:
    """A sample whose size is the sum of `inclusion` and that holds each pair with exactly that probability.

    The order is shuffled first, or pairs next to each other would hardly ever be drawn together. The
    pairs of `group` stay side by side, so their number in the sample is their summed probability, rounded
    down or up.
    """
    # [seed, 1]: a stream apart from the one that a policy may have used to find `inclusion`.
    rng = np.random.default_rng([seed, 1])
    names = list(inclusion)
    order = rng.permutation(len(names)).tolist()
    order.sort(key=lambda index: names[index] not in group)
    probabilities = np.fromiter(inclusion.values(), dtype=np.float64, count=len(names))[order]
    # Certain pairs are set apart: rounding could let an interval of length 1 hold two points or none.
    certain = probabilities > 1.0 - 1e-9
    chosen = [order[place] for place in np.flatnonzero(certain)]
    open_places = np.flatnonzero(~certain)
    size = round(float(probabilities.sum())) - len(chosen)
    if size > 0:
        edges = np.cumsum(probabilities[open_places])
        edges[-1] = size  # exact, or the last point could fall behind it
        points = rng.random() + np.arange(size)
        chosen += [order[open_places[place]] for place in np.searchsorted(edges, points, side="right")]
    return [Drawn(names[index], float(inclusion[names[index]])) for index in sorted(chosen)]
