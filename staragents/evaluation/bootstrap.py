"""Intervals of means over conversations and training seeds."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from staragents.base.estimate import Estimate

Floats = NDArray[np.float64]

RESAMPLES = 4000
RESAMPLED_AT_ONCE = 2_000_000
"""Weights of conversations in memory."""
LEVEL = 0.95
LEAST = 2
"""Conversations that tell how much they vary. 1 is for the score of a task, which is no sample of several:
its interval rests on the training seeds alone."""
DIGITS = 6


def difference_intervals(
    values: Floats, confidence: float = LEVEL, *, least: int = LEAST
) -> list[Estimate | None]:
    """Of differences from one reference, shape (arms, training seeds, conversations): the mean of each arm
    with intervals that hold for all arms at once in the share `confidence` of repeats. None below `least`
    conversations, and for equal differences: that nothing varied shows no certainty.

    The variance between training seeds is taken to be the same in every arm and in the reference, so that all
    arms estimate it together, with arms * (training seeds - 1) degrees of freedom: it is the interaction of
    arm and training seed, as in a randomised block design. For the rest see `_intervals`.
    """
    arms, seeds, _ = values.shape
    with_reference = np.concatenate([np.zeros((1, *values.shape[1:])), values])
    of_seeds = with_reference.mean(axis=2)
    residuals = of_seeds - of_seeds.mean(axis=0) - of_seeds.mean(axis=1, keepdims=True) + of_seeds.mean()
    freedom = arms * (seeds - 1)
    variance = float((residuals**2).sum()) / freedom / seeds if freedom else 0.0
    rng = np.random.default_rng(0)
    draws = rng.normal(0, math.sqrt(variance), size=(RESAMPLES, arms + 1))
    noise = draws[:, 1:] - draws[:, :1]
    found = _intervals(values, noise, np.full(arms, 2 * variance), freedom, rng, least, confidence)
    return [None if one is not None and one.low == one.high else one for one in found]


def mean_intervals(values: Floats, *, least: int = LEAST) -> list[Estimate | None]:
    """Of `values`, shape (rows, training seeds, conversations): the mean of each row with an interval that
    holds for this row in 95 % of repeats. None below `least` conversations."""
    found = []
    for row in values[:, None]:
        seeds = row.shape[1]
        variance = row.mean(axis=2).var(axis=1, ddof=1) / seeds if seeds > 1 else np.zeros(1)
        rng = np.random.default_rng(0)
        noise = rng.normal(0, np.sqrt(variance), size=(RESAMPLES, 1))
        found += _intervals(row, noise, variance, seeds - 1, rng, least)
    return found


def _intervals(
    values: Floats,
    noise: Floats,
    variances: Floats,
    freedom: int,
    rng: np.random.Generator,
    least: int,
    confidence: float = LEVEL,
) -> list[Estimate | None]:
    """The means of `values`, shape (rows, training seeds, conversations), with intervals.

    Conversations are resampled with replacement, the same ones for all rows (Efron 1979). Training seeds are
    too few for that: resampling n of them shows (n - 1) / n of their variance, and two of them have three
    different resamples. So `noise`, shape (`RESAMPLES`, rows), takes their place: normal deviations of the
    mean over training seeds, with the measured `variances`, shape (rows,), of `freedom` degrees of freedom.

    The largest studentised deviation of all rows in each resample (Westfall and Young 1993) gives the level
    of one interval at which all hold at once in the share `confidence`, and Student's distribution gives the
    quantile of this level, with the degrees of freedom of both variances together (`freedom_of`). None below
    `least` conversations, and for one training seed and one conversation, as nothing tells how much values
    vary.
    """
    rows, seeds, conversations = values.shape
    if not rows or conversations < least or seeds < 2 > conversations:
        return [None] * rows
    means = values.mean(axis=(1, 2))
    of_conversations = _resampled(values.mean(axis=1), rng)
    by_conversation = of_conversations.var(axis=0)
    errors = np.sqrt(by_conversation + variances)
    level = _level(of_conversations + noise, errors, confidence)
    quantiles = [
        student(level, freedom_of(((float(of_seeds), freedom), (float(rest), conversations - 1))))
        for of_seeds, rest in zip(variances, by_conversation, strict=True)
    ]
    return [
        Estimate(*(round(float(x), DIGITS) for x in (mean, mean - half, mean + half)))
        for mean, half in zip(means, errors * quantiles, strict=True)
    ]


def freedom_of(parts: Iterable[tuple[float, int]]) -> float:
    """Degrees of freedom of a sum of independent variances, each with its own (Satterthwaite 1946)."""
    known = [(variance, freedom) for variance, freedom in parts if freedom and variance > 0]
    below = sum(variance**2 / freedom for variance, freedom in known)
    return float(sum(variance for variance, _ in known) ** 2 / below) if below else math.inf


def student(level: float, freedom: float) -> float:
    """Two-sided quantile of Student's distribution."""
    from scipy.stats import norm, t

    return float(norm.isf(level / 2) if math.isinf(freedom) else t.isf(level / 2, freedom))


def _resampled(values: Floats, rng: np.random.Generator) -> Floats:
    """Deviations of the means of `values`, shape (rows, conversations), over conversations drawn with
    replacement, shape (`RESAMPLES`, rows). Their variance is that of a mean of these many conversations."""
    rows, units = values.shape
    if units < 2:
        return np.zeros((RESAMPLES, rows))
    deviations = (values - values.mean(axis=1, keepdims=True)).T * math.sqrt(1 / (units * (units - 1)))
    part = max(1, RESAMPLED_AT_ONCE // units)
    found = []
    for done in range(0, RESAMPLES, part):
        size = min(part, RESAMPLES - done)
        drawn = rng.integers(units, size=(size, units)) + units * np.arange(size)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=size * units).reshape(size, units)
        found.append(counts @ deviations)
    return np.concatenate(found)


def _level(resampled: Floats, errors: Floats, confidence: float) -> float:
    """The level of one interval at which the intervals of all rows hold at once in the share `confidence` of
    the resamples."""
    from scipy.stats import norm

    varying = errors > 0
    if varying.sum() < 2:
        return 1 - confidence
    largest = np.abs(resampled[:, varying] / errors[varying]).max(axis=1)
    return min(2 * float(norm.sf(np.quantile(largest, confidence))), 1 - confidence)
