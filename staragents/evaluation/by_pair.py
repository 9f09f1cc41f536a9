"""Whether what a run measured about its pairs predicts what students learn from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from staragents.base.estimate import Estimate
from staragents.evaluation.arm_row import read_estimate
from staragents.evaluation.arms import Arms
from staragents.evaluation.bootstrap import DIGITS, LEVEL, RESAMPLES, Floats, difference_intervals
from staragents.evaluation.choices import PAIR
from staragents.evaluation.grid import Grid
from staragents.evaluation.pair_measures import MEASURES

MIN_PAIRS = 6
"""Of five pairs, only one order of 120 would be proof of anything."""
ORDERS = 9999
"""Up to seven pairs, all of their orders are tried, beyond this many random ones."""


@dataclass(frozen=True, slots=True)
class PairGain:
    """One pair: means over its candidates, and how much lower the loss is after training on them."""

    arm: str
    pair: str
    candidates: int
    reward: float | None
    ifd_gap: float | None
    judge_win: float | None
    gain: Estimate | None
    """Loss of the arm `seeds` minus that of the pair's arm, in nats per token."""


@dataclass(frozen=True, slots=True)
class ByPair:
    """`correlations`: Spearman's rank correlation of each of `MEASURES` with the gain, over pairs; None for
    fewer than `MIN_PAIRS` pairs or without variation."""

    pairs: list[PairGain]
    correlations: dict[str, Estimate | None]

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> ByPair:
        """The inverse of `dataclasses.asdict`."""
        pairs = [PairGain(**{**one, "gain": read_estimate(one["gain"])}) for one in saved["pairs"]]
        return cls(pairs, {name: read_estimate(one) for name, one in saved["correlations"].items()})

    def sentences(self) -> list[str]:
        """What the correlations say, one line for each measure. Pairs without the measure are in none."""
        found = []
        for name, one in self.correlations.items():
            what = f"mean {MEASURES[name]} of a pair and the gain of a student trained on its candidates"
            known = sum(getattr(pair, name) is not None for pair in self.pairs)
            if one is None or known < MIN_PAIRS:  # earlier versions had correlations over four
                found.append(f"{what}: no correlation, as fewer than {MIN_PAIRS} pairs differ in both")
                continue
            verdict = ": it predicts training" if one.low > 0 else ""
            verdict = ": it predicts the opposite" if one.high < 0 else verdict
            verdict = verdict or ": the interval includes 0, so it may not predict training"
            found.append(f"{what}: rank correlation {one} over {known} pairs{verdict}")
        return found


def by_pair(grid: Grid, arms: Arms, reference: str) -> ByPair | None:
    """The pairs' gains over `reference` in `grid`, which has losses, and their correlations; None without a
    pair's arm or the reference.

    Pairs with the same students are no independent evidence: the first one stands for all of them.
    """
    if reference not in grid.arms:
        return None
    names, differences = grid.against(reference)
    first: dict[str, int] = {}
    for index, name in enumerate(names):
        if name in arms.pairs:
            first.setdefault(arms.trained_as(name), index)
    at = list(first.values())
    if not at:
        return None
    pairs = arms.pairs
    gains = -differences[at]
    estimates = difference_intervals(gains)
    rows = [
        PairGain(
            arm=names[index],
            pair=names[index].rpartition(PAIR)[2],
            candidates=pairs[names[index]].candidates,
            reward=_rounded(pairs[names[index]].reward.value),
            ifd_gap=_rounded(pairs[names[index]].ifd_gap.value),
            judge_win=_rounded(pairs[names[index]].judge_win.value),
            gain=gain,
        )
        for index, gain in zip(at, estimates, strict=True)
    ]
    correlations = {name: correlation([getattr(row, name) for row in rows], gains) for name in MEASURES}
    return ByPair(rows, correlations)


def correlation(
    measures: Sequence[float | None], gains: Floats, confidence: float = LEVEL
) -> Estimate | None:
    """Spearman's correlation of one measure with the mean gain, shape (pairs, training seeds, conversations).

    The interval is that of the percentiles when pairs, training seeds and conversations are all drawn with
    replacement, so that it holds for other pairs like these. Resamples without variation are left out. Of few
    pairs, resamples repeat the order of the measured ones, so that the interval is too narrow: it is widened
    to include 0 unless so high a correlation is rarer than 1 - `confidence` among all orders of the pairs.
    """
    known = np.array([index for index, value in enumerate(measures) if value is not None], dtype=np.intp)
    x = np.array([measures[index] for index in known], dtype=float)
    gains = gains[known]
    if len(known) < MIN_PAIRS or len(set(x)) < 2:
        return None
    pairs, seeds, conversations = gains.shape
    rng = np.random.default_rng(0)
    of_seeds = rng.integers(seeds, size=(RESAMPLES, seeds))
    drawn = np.empty((RESAMPLES, pairs), dtype=np.intp)
    means = np.empty((RESAMPLES, pairs))
    for number in range(RESAMPLES):
        drawn[number] = rng.integers(pairs, size=pairs)
        counts = np.bincount(rng.integers(conversations, size=conversations), minlength=conversations)
        means[number] = gains[:, of_seeds[number]].mean(axis=1) @ counts
    found = spearman(x[drawn], np.take_along_axis(means, drawn, axis=1))
    mean_gains = gains.mean(axis=(1, 2))
    whole = float(spearman(x, mean_gains))
    if np.isnan(whole):
        return None
    low, high = np.nanquantile(found, [(1 - confidence) / 2, (1 + confidence) / 2])
    if by_chance(x, mean_gains) > 1 - confidence:
        low, high = min(low, 0.0), max(high, 0.0)
    return Estimate(*(round(float(value), DIGITS) for value in (whole, low, high)))


def spearman(x: Floats, y: Floats) -> Floats:
    """Pearson's correlation of ranks along the last axis, ties sharing the mean rank; NaN where x or y is
    constant."""
    a, b = _ranks(x), _ranks(y)
    below = np.sqrt((a**2).sum(axis=-1) * (b**2).sum(axis=-1))
    return np.divide((a * b).sum(axis=-1), below, out=np.full(below.shape, np.nan), where=below > 0)


def by_chance(x: Floats, y: Floats) -> float:
    """Two-sided p-value of Spearman's correlation, shape (values,) both: how often pairs in another order
    correlate as much (permutation test)."""
    from scipy.stats import permutation_test

    found = permutation_test(
        (x,),
        lambda ordered, axis: spearman(ordered, y),
        permutation_type="pairings",
        vectorized=True,
        n_resamples=ORDERS,
        rng=0,
    )
    return float(found.pvalue)


def _ranks(values: Floats) -> Floats:
    """Ranks less their mean."""
    from scipy.stats import rankdata  # takes a second to import

    return np.asarray(rankdata(values, axis=-1)) - (values.shape[-1] + 1) / 2


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)
