"""Draws a fixed number of pairs without replacement, with exact inclusion probabilities.

Systematic sampling (Madow 1949) realises given inclusion probabilities, so logged propensities are exact.
With successive weighted draws, exact propensities would require enumeration.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Container, Mapping, Sequence
from functools import cache
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt

from staragents.evolution.policy import Draw

FloatArray = npt.NDArray[np.float64]

# Uniform share of every draw under every policy: a propensity of 0 can't be corrected for, and a pair at
# p = 0 would never recover. Too small to change which pairs a run calls.
MIN_FLOOR = 1e-6
# Prevents a division by 0 when all weights are 0; far below any distinguishable p.
MIN_WEIGHT = 1e-200
# A pair with a higher inclusion probability is always drawn.
CERTAIN = 1.0 - 1e-9
# Constants of splitmix64. SEED_FACTOR is a different odd number, so that the streams of seeds n and n + 1
# are not shifted copies of each other.
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
SEED_FACTOR, MASK_64 = 0xD1342543DE82EF95, 2**64 - 1
SHIFTS = (np.uint64(30), np.uint64(27), np.uint64(31))
FACTORS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


def available(pairs: Sequence[str], without: Container[str]) -> tuple[Sequence[str], Any]:
    """The pairs that may be drawn, and an index that selects them from an array over all pairs."""
    if not without:
        return pairs, slice(None)
    indices = [index for index, pair in enumerate(pairs) if pair not in without]
    return [pairs[index] for index in indices], indices


def proportional(weights: FloatArray, count: int) -> FloatArray:
    """Inclusion probabilities that sum to `count`, proportional to `weights` and capped at 1.

    The excess above 1 is spread proportionally over the other pairs. `count` is at most the number of
    weights, which are non-negative.
    """
    if count == len(weights):
        return np.ones(len(weights))
    weights = np.maximum(weights, MIN_WEIGHT)
    certain = np.zeros(len(weights), dtype=bool)
    while True:
        scale = (count - certain.sum()) / weights[~certain].sum()
        inclusion = np.where(certain, 1.0, weights * scale)
        over = inclusion > 1.0
        if not over.any():
            return inclusion
        certain |= over


def with_floor(inclusion: FloatArray, floor: float) -> FloatArray:
    """Mix in a share `floor` of the uniform draw of the same size; the sum is unchanged."""
    floor = max(floor, MIN_FLOOR)
    return (1.0 - floor) * inclusion + floor * inclusion.sum() / len(inclusion)


def above_threshold(mean: FloatArray, sd: FloatArray, count: int) -> FloatArray:
    """Inclusion probabilities that sum to `count` for uncertain values: P(value > t).

    The common threshold t makes them sum to `count`. This is probability matching (Thompson 1933) with the
    `count`-th largest value held fixed, which needs no samples. Values are normal; their distribution
    function uses the tanh approximation (as in GELU, Hendrycks and Gimpel 2016; error below 4e-4). `sd` is
    positive.
    """
    size = len(mean)
    if count >= size:
        return np.ones(size)
    ordered = np.sort(mean)
    inverse_sd = 1.0 / sd
    reach = 30.0 * float(sd.max())
    low, high = float(ordered[0]) - reach, float(ordered[-1]) + reach
    threshold = float(ordered[size - count] + ordered[size - count - 1]) / 2.0
    for _ in range(60):
        z = (mean - threshold) * inverse_sd
        square = z * z
        tanh = np.tanh(z * (0.79788456 + 0.03567741 * square))
        # p = (1 + tanh) / 2, so the sum of tanh should be 2 count - size. Newton's method inside a bracket.
        excess = float(tanh.sum()) - (2 * count - size)
        if abs(excess) < 1e-7:
            break
        low, high = (threshold, high) if excess > 0 else (low, threshold)
        slope = float((1.0 - tanh * tanh).dot((0.79788456 + 0.10703222 * square) * inverse_sd))
        step = excess / slope if slope > 0 else math.inf
        threshold = threshold + step if low < threshold + step < high else (low + high) / 2.0
    inclusion = 0.5 + 0.5 * tanh
    # The rounding error is spread over pairs that are neither certain nor excluded.
    uncertain = inclusion * (1.0 - inclusion)
    room = float(uncertain.sum())
    if room > 1e-12:
        inclusion += uncertain * ((count - float(inclusion.sum())) / room)
    return inclusion


def uniform_bits(seed: int, number: int) -> npt.NDArray[np.uint64]:
    """`number` independent uniform integers below 2^53 that depend on `seed` alone.

    splitmix64 (Steele, Lea and Flood 2014) of seed and position: every draw needs a few numbers from its own
    stream, and creating a numpy generator would dominate the time of a draw.
    """
    state = _counters(number) + np.uint64((seed * SEED_FACTOR) & MASK_64)
    state ^= state >> SHIFTS[0]
    state *= FACTORS[0]
    state ^= state >> SHIFTS[1]
    state *= FACTORS[1]
    state ^= state >> SHIFTS[2]
    state >>= np.uint64(11)
    return state


@cache
def _counters(number: int) -> npt.NDArray[np.uint64]:
    return np.arange(1, number + 1, dtype=np.uint64) * GOLDEN


def draw_pairs(inclusion: Mapping[str, float], seed: int, group: Container[str] = ()) -> list[Draw]:
    """A sample that includes each pair with exactly its probability; its size is the sum of `inclusion`.

    The order is shuffled first, because adjacent pairs would hardly ever be drawn together. The pairs of
    `group` stay adjacent, so their number in the sample is their summed probability, rounded down or up.
    """
    names = list(inclusion)
    if not names:
        return []
    values = list(inclusion.values())
    bits = uniform_bits(seed, len(names) + 1)
    # Plain lists from here: for a few dozen pairs, numpy's calls would take longer than the work.
    order = bits[1:].argsort().tolist()
    if group:
        order.sort(key=lambda index: names[index] not in group)
    # Certain pairs are handled separately: due to rounding, their interval could hold two points or none.
    chosen: list[int] = []
    if max(values) > CERTAIN:
        chosen = [index for index in order if values[index] > CERTAIN]
        order = [index for index in order if values[index] <= CERTAIN]
    cumulative = list(accumulate(map(values.__getitem__, order)))
    size = round(cumulative[-1]) if cumulative else 0
    if size > 0:
        cumulative[-1] = size  # exact, or the last point could exceed it
        first = int(bits[0]) * 2.0**-53
        chosen += [order[bisect_right(cumulative, first + offset)] for offset in range(size)]
    return [Draw(names[index], values[index]) for index in sorted(chosen)]
