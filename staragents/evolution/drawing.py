"""Drawing a fixed number of pairs without replacement so that inclusion probabilities are exact.

The probabilities come first and the sample is made to have them (systematic sampling, Madow 1949), so a
logged propensity is the true one, which successive weighted draws would only give by enumeration.
"""

from __future__ import annotations

import math
from collections.abc import Container, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from staragents.evolution.policy import Drawn

FloatArray = npt.NDArray[np.float64]

# Uniform share of every draw, whatever the policy: a propensity of 0 could never be corrected for, and a
# pair at p = 0 could never come back. Too small to change which pairs a run calls.
SMALLEST_FLOOR = 1e-6
# A group whose weights are all 0 would divide by 0; far below any p that a run can tell from 0.
SMALLEST_WEIGHT = 1e-200
# The constants of splitmix64; SEED_FACTOR is another odd number, so that seeds n and n + 1 are no shift of
# each other's stream.
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
SEED_FACTOR, WORD = 0xD1342543DE82EF95, 2**64 - 1
SHIFTS = (np.uint64(30), np.uint64(27), np.uint64(31))
FACTORS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


def available(pairs: Sequence[str], without: Container[str]) -> tuple[Sequence[str], Any]:
    """The pairs that may be drawn, and what picks them out of an array over all pairs."""
    if not without:
        return pairs, slice(None)
    places = [place for place, pair in enumerate(pairs) if pair not in without]
    return [pairs[place] for place in places], places


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


def above_threshold(mean: FloatArray, sd: FloatArray, count: int) -> FloatArray:
    """Inclusion probabilities that sum to `count` for uncertain values: P(value > t), one t for all.

    t is what makes them sum to `count`. This is probability matching (Thompson 1933) with the `count`-th
    largest value held fixed, which needs no samples. Values are normal, with the tanh approximation of
    their distribution (as in GELU, Hendrycks and Gimpel 2016; error below 4e-4). `sd` is above 0.
    """
    places = len(mean)
    if count >= places:
        return np.ones(places)
    ordered = np.sort(mean)
    narrowness = 1.0 / sd
    reach = 30.0 * float(sd.max())
    low, high = float(ordered[0]) - reach, float(ordered[-1]) + reach
    threshold = float(ordered[places - count] + ordered[places - count - 1]) / 2.0
    for _ in range(60):
        z = (mean - threshold) * narrowness
        square = z * z
        tanh = np.tanh(z * (0.79788456 + 0.03567741 * square))
        # p = (1 + tanh) / 2, so the sum of tanh should be 2 count - places. Newton, kept inside a bracket.
        excess = float(tanh.sum()) - (2 * count - places)
        if abs(excess) < 1e-7:
            break
        low, high = (threshold, high) if excess > 0 else (low, threshold)
        slope = float((1.0 - tanh * tanh).dot((0.79788456 + 0.10703222 * square) * narrowness))
        step = excess / slope if slope > 0 else math.inf
        threshold = threshold + step if low < threshold + step < high else (low + high) / 2.0
    inclusion = 0.5 + 0.5 * tanh
    # What rounding leaves is spread over pairs that are neither certain nor out.
    open_to_change = inclusion * (1.0 - inclusion)
    room = float(open_to_change.sum())
    if room > 1e-12:
        inclusion += open_to_change * ((count - float(inclusion.sum())) / room)
    return inclusion


def uniform_numbers(seed: int, number: int) -> FloatArray:
    """`number` independent uniform numbers in [0, 1) that depend on `seed` alone.

    splitmix64 (Steele, Lea and Flood 2014) of seed and place: a draw needs a few numbers of a stream of its
    own, and setting a numpy generator up takes longer than all else in a draw.
    """
    state = _places(number) + np.uint64((seed * SEED_FACTOR) & WORD)
    state = (state ^ (state >> SHIFTS[0])) * FACTORS[0]
    state = (state ^ (state >> SHIFTS[1])) * FACTORS[1]
    state ^= state >> SHIFTS[2]
    return (state >> np.uint64(11)).astype(np.float64) * 2.0**-53


@cache
def _places(number: int) -> npt.NDArray[np.uint64]:
    return np.arange(1, number + 1, dtype=np.uint64) * GOLDEN


def draw_pairs(inclusion: Mapping[str, float], seed: int, group: Container[str] = ()) -> list[Drawn]:
    """A sample whose size is the sum of `inclusion` and that holds each pair with exactly that probability.

    The order is shuffled first, or pairs next to each other would hardly ever be drawn together. The
    pairs of `group` stay side by side, so their number in the sample is their summed probability, rounded
    down or up.
    """
    names = list(inclusion)
    if not names:
        return []
    values = list(inclusion.values())
    numbers = uniform_numbers(seed, len(names) + 1)
    order = numbers[1:].argsort()
    if group:
        order = np.array(sorted(order.tolist(), key=lambda index: names[index] not in group))
    probabilities = np.array(values)[order]
    # Certain pairs are set apart: rounding could let an interval of length 1 hold two points or none.
    certain = probabilities > 1.0 - 1e-9
    size = round(float(probabilities.sum()))
    chosen: list[int] = []
    if certain.any():
        chosen = order[certain].tolist()
        order, probabilities = order[~certain], probabilities[~certain]
        size -= len(chosen)
    if size > 0:
        edges = probabilities.cumsum()
        edges[-1] = size  # exact, or the last point could fall behind it
        points = [float(numbers[0]) + place for place in range(size)]
        chosen += order[edges.searchsorted(points, side="right")].tolist()
    return [Drawn(names[index], values[index]) for index in sorted(chosen)]
