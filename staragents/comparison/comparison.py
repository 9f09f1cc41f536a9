"""The comparison table: every variant under a common judge, with paired bootstrap intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from staragents.base.estimate import Estimate
from staragents.comparison.measured import Measured, fill_unreached
from staragents.evolution.drawing import FloatArray

RESULT = "compare.json"
RESAMPLES = 4000
RESAMPLED_AT_ONCE = 100_000
"""Drawn seeds in memory, times the number of variants."""
LEVEL = 0.95
COURSE = 100
FEW_SEEDS = 30


@dataclass(frozen=True, slots=True)
class Row:
    """One variant. `against`: differences from the reference on the same seeds; None for the reference."""

    name: str
    changes: dict[str, Any]
    run_dir: str
    seeds_reached: int
    seeds_replaced: int
    unreadable: int
    tokens: int
    tokens_per_improved: float | None
    stopped: dict[str, Any] | None
    win: Estimate
    improved: Estimate
    target_ifd: Estimate | None
    against: dict[str, Estimate] | None
    course: list[list[float]] = field(default_factory=list)
    """(seeds done, mean reward per drawn pair so far) at up to `COURSE` points."""
    seeds_left_out: int = 0

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> Row:
        ifd, against = saved["target_ifd"], saved["against"]
        read = {
            "win": Estimate(**saved["win"]),
            "improved": Estimate(**saved["improved"]),
            "target_ifd": Estimate(**ifd) if ifd else None,
            "against": {name: Estimate(**one) for name, one in against.items()} if against else None,
        }
        return cls(**{**saved, **read})


@dataclass(frozen=True, slots=True)
class Comparison:
    """The content of compare.json."""

    config: str
    """Title of the config."""
    seeds: int
    reference: str
    budget_tokens: int
    judge: str
    judge_model: str
    seeds_ifd: float | None
    """Mean target IFD of the unchanged seeds."""
    generations_made: int
    generations_used: int
    """Including those made for another variant or before an interruption."""
    fake: list[str]
    identity: str
    """Digest of configs, budget, judge and seeds; an identical comparison is not repeated."""
    rows: list[Row]
    warnings: list[str]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> Comparison:
        """The inverse of `as_dict`."""
        return cls(**{**saved, "rows": [Row.from_dict(row) for row in saved["rows"]]})


def rows_of(variants: Sequence[Measured], reference: str) -> list[Row]:
    """One row per variant, in order.

    Intervals are percentiles of means over the same resampled seeds for all variants (Efron 1979), so
    differences are free of the variation in difficulty between seeds.
    """
    fill_unreached(list(variants))
    names = [one.variant.name for one in variants]
    base = names.index(reference)
    win = _estimates(np.array([one.win for one in variants]), base)
    improved = _estimates(np.array([one.improved for one in variants]), base)
    ifd = _estimates(np.array([one.ifd for one in variants]), base)
    rows = []
    for index, one in enumerate(variants):
        improved_seeds = one.improved.sum()
        against = {"win": win[1][index], "improved": improved[1][index]}
        if not math.isnan(ifd[1][index].mean):
            against["target_ifd"] = ifd[1][index]
        rows.append(
            Row(
                name=one.variant.name,
                changes=one.variant.changes,
                run_dir=one.variant.config.output.dir,
                seeds_reached=one.reached,
                seeds_replaced=one.replaced,
                unreadable=one.unreadable,
                tokens=one.tokens,
                tokens_per_improved=round(one.tokens / improved_seeds, 1) if improved_seeds else None,
                stopped=one.stopped,
                win=win[0][index],
                improved=improved[0][index],
                target_ifd=ifd[0][index] if not math.isnan(ifd[0][index].mean) else None,
                against=against if index != base else None,
                course=_course(one.rewards),
                seeds_left_out=one.left_out,
            )
        )
    return rows


def _course(rewards: Sequence[float | None]) -> list[list[float]]:
    points, total, number = [], 0.0, 0
    step = math.ceil(len(rewards) / COURSE)
    for seeds, reward in enumerate(rewards, 1):
        if reward is not None:
            total, number = total + reward, number + 1
        if number and (seeds % step == 0 or seeds == len(rewards)):
            points.append([seeds, round(total / number, 6)])
    return points


def seeds_ifd(variants: Sequence[Measured]) -> float | None:
    """Mean target IFD of the seeds that the furthest variant reached."""
    known = np.concatenate(
        [one.seed_ifd for one in variants if one.reached == max(v.reached for v in variants)]
    )
    return round(float(np.nanmean(known)), 6) if not np.isnan(known).all() else None


def warnings_for(rows: Sequence[Row], seeds: int, budget: int, own_judge: bool) -> list[str]:
    """Caveats for reading the table."""
    found = []
    if seeds < FEW_SEEDS:
        found.append(
            f"{seeds} seeds are few: bootstrap intervals are too narrow below about {FEW_SEEDS} seeds"
        )
    found += [
        f"{row.name} equals the config: it changes no setting"
        for row in rows
        if not row.changes and row.name != "full"
    ]
    found += [
        f"{row.seeds_left_out} seeds of {row.name} have no row in its dataset: they count as ties, and "
        "its target IFD is without them"
        for row in rows
        if row.seeds_left_out
    ]
    found += [
        f"{row.unreadable} verdicts on the rows of {row.name} were unreadable and count as ties"
        for row in rows
        if row.unreadable
    ]
    found += [
        f"{row.name} took {row.tokens:,} tokens, more than the budget: an earlier comparison in this folder "
        "had a larger budget, or the first run.admitted_seeds seeds alone exceed it"
        for row in rows
        if row.tokens > 1.1 * budget
    ]
    if own_judge:
        found.append(
            "the common judge also provides the variants' rewards, which favours variants that rely on it "
            "most: select another model of the config with --judge"
        )
    return found


def _estimates(values: FloatArray, base: int) -> tuple[list[Estimate], list[Estimate]]:
    """Of `values`, shape (variants, seeds): each row's mean, and its difference from the base's mean. NaN is
    no value; a row without any has NaN for both."""
    resampled = _resampled_means(values)
    means = _means(values)
    return (
        _intervals(means, resampled),
        _intervals(means - means[base], resampled - resampled[:, base : base + 1]),
    )


def _resampled_means(values: FloatArray) -> FloatArray:
    """Of `values`, shape (variants, seeds): means over seeds drawn with replacement, shape (RESAMPLES,
    variants)."""
    rng = np.random.default_rng(0)
    seeds = values.shape[1]
    part = max(1, RESAMPLED_AT_ONCE // seeds)
    means = []
    for done in range(0, RESAMPLES, part):
        drawn = rng.integers(seeds, size=(min(part, RESAMPLES - done), seeds))
        means.append(_means(values[:, drawn]).T)
    return np.concatenate(means)


def _means(values: FloatArray) -> FloatArray:
    """Means over the last axis of the values that are not NaN; NaN without any."""
    numbers = np.count_nonzero(~np.isnan(values), axis=-1)
    return np.divide(
        np.nansum(values, axis=-1), numbers, out=np.full(numbers.shape, np.nan), where=numbers > 0
    )


def _intervals(means: FloatArray, resampled: FloatArray) -> list[Estimate]:
    return [_interval(float(mean), found) for mean, found in zip(means, resampled.T, strict=True)]


def _interval(mean: float, resampled: FloatArray) -> Estimate:
    known = resampled[~np.isnan(resampled)]
    if not known.size:
        return Estimate(math.nan, math.nan, math.nan)
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(round(mean, 6), round(float(low), 6), round(float(high), 6))
