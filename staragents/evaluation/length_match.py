"""Random choices whose lengths have a given distribution."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

BINS = 10
ITERATIONS = 200
SMALLEST_WEIGHT = 1e-9


def length_matched(
    lengths: Sequence[Sequence[int]], targets: Sequence[int], draws: Sequence[float]
) -> list[int]:
    """The index of one option of each seed, so that the chosen lengths are distributed as `targets` are.

    `lengths`: of each seed's options, at least one. `targets`: lengths to match, such as those of the rows
    that a run chose. `draws`: a number in [0, 1) for each seed, which makes its choice.

    Every option has the weight of its length's bin, and a seed draws with probabilities proportional to the
    weights of its options. The bins are the tenths of `targets`, and one on either side of them; their
    weights are raked (Deming and Stephan 1940) until the expected number of choices in each bin is that of
    `targets`. Of all distributions with these lengths it is the most random one: given its length, no
    option is preferred. Lengths that no seed offers can't be matched.
    """
    inner = np.quantile(targets, np.linspace(0, 1, BINS + 1))
    edges = np.unique(np.concatenate([inner[:-1], [inner[-1] + 1]]))
    seeds = np.repeat(np.arange(len(lengths)), [len(one) for one in lengths])
    bins = np.searchsorted(edges, np.concatenate([np.asarray(one) for one in lengths]), side="right")
    of_targets = np.bincount(np.searchsorted(edges, targets, side="right"), minlength=len(edges) + 1)
    wanted = of_targets * (len(lengths) / len(targets))
    weights = np.ones(len(edges) + 1)
    for _ in range(ITERATIONS):
        probabilities = _normalised(weights[bins], seeds)
        expected = np.bincount(bins, weights=probabilities, minlength=len(weights))
        ratio = np.divide(wanted, expected, out=np.ones_like(weights), where=expected > 0)
        weights = np.maximum(weights * ratio, SMALLEST_WEIGHT)
        weights /= weights.max()
    probabilities = _normalised(weights[bins], seeds)
    starts = np.concatenate([[0], np.cumsum([len(one) for one in lengths])])
    return [
        int(min(np.searchsorted(np.cumsum(probabilities[start:end]), draw, side="right"), end - start - 1))
        for start, end, draw in zip(starts[:-1], starts[1:], draws, strict=True)
    ]


def _normalised(weights: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """Weights of options that sum to 1 over each seed; `seeds` is the index of every option's seed."""
    return weights / np.bincount(seeds, weights=weights)[seeds]
