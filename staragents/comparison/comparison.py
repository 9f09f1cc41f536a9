"""The table: every variant under one yardstick, with paired bootstrap intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from staragents.comparison.measured import Measured, fill_unreached
from staragents.evolution.drawing import FloatArray

RESAMPLES = 4000
LEVEL = 0.95
FEW_SEEDS = 30


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over seeds and its 95 % interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Row:
    """A variant's line. `against` are its differences to the reference on the same seeds; None for itself."""

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
    """All that compare.json holds."""

    config: str
    """Its title."""
    seeds: int
    reference: str
    budget_tokens: int
    judge: str
    judge_model: str
    seeds_ifd: float | None
    """Mean target IFD of the seeds as they are."""
    generations_made: int
    generations_used: int
    """With those that were made for another variant, or before an interruption."""
    fake: list[str]
    identity: str
    """Digest of configs, budget, judge and seeds: the same comparison need not be made again."""
    rows: list[Row]
    warnings: list[str]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> Comparison:
        """The inverse of `as_dict`."""
        return cls(**{**saved, "rows": [Row.from_dict(row) for row in saved["rows"]]})


def rows_of(variants: Sequence[Measured], reference: str) -> list[Row]:
    """A row for each variant, in their order.

    Intervals are percentiles of means over the same resampled seeds for all variants (Efron 1979), so that a
    difference is free of what makes some seeds harder than others for everyone.
    """
    fill_unreached(list(variants))
    names = [one.variant.name for one in variants]
    base = names.index(reference)
    win = _estimates(np.array([one.win for one in variants]), base)
    improved = _estimates(np.array([one.improved for one in variants]), base)
    ifds = np.array([one.ifd for one in variants])
    scored = ~np.isnan(ifds).any(axis=0)
    ifd = _estimates(ifds[:, scored], base) if scored.any() else None
    rows = []
    for place, one in enumerate(variants):
        better = one.improved.sum()
        against = {"win": win[1][place], "improved": improved[1][place]}
        if ifd is not None:
            against["target_ifd"] = ifd[1][place]
        rows.append(
            Row(
                name=one.variant.name,
                changes=one.variant.changes,
                run_dir=one.variant.config.output.dir,
                seeds_reached=one.reached,
                seeds_replaced=one.replaced,
                unreadable=one.unreadable,
                tokens=one.tokens,
                tokens_per_improved=round(one.tokens / better, 1) if better else None,
                stopped=one.stopped,
                win=win[0][place],
                improved=improved[0][place],
                target_ifd=ifd[0][place] if ifd is not None else None,
                against=against if place != base else None,
            )
        )
    return rows


def seeds_ifd(variants: Sequence[Measured]) -> float | None:
    """Mean target IFD of the seeds that a variant reached."""
    known = np.concatenate(
        [one.seed_ifd for one in variants if one.reached == max(v.reached for v in variants)]
    )
    return round(float(np.nanmean(known)), 6) if not np.isnan(known).all() else None


def warnings_for(rows: Sequence[Row], seeds: int, budget: int, own_judge: bool) -> list[str]:
    """What to mind when the table is read."""
    found = []
    if seeds < FEW_SEEDS:
        found.append(f"{seeds} seeds are few: bootstrap intervals are too narrow below {FEW_SEEDS} or so")
    found += [
        f"{row.name} is the config as it is: it sets nothing to another value"
        for row in rows
        if not row.changes and row.name != "full"
    ]
    found += [
        f"{row.unreadable} verdicts on the rows of {row.name} were unreadable and count as ties"
        for row in rows
        if row.unreadable
    ]
    found += [
        f"{row.name} took {row.tokens:,} tokens, more than the budget: an earlier comparison in this folder "
        "had a larger one, or the first run.admitted_seeds seeds alone take more"
        for row in rows
        if row.tokens > 1.1 * budget
    ]
    if own_judge:
        found.append(
            "the yardstick is the judge that the variants' rewards come from, which favours variants that "
            "trust it most: name another model of the config with --judge"
        )
    return found


def _estimates(values: FloatArray, base: int) -> tuple[list[Estimate], list[Estimate]]:
    """Of each row of `values`, shape (variants, seeds): its mean, and its mean less the base's."""
    dice = np.random.default_rng(0)
    seeds = values.shape[1]
    resampled = np.array([values[:, dice.integers(seeds, size=seeds)].mean(axis=1) for _ in range(RESAMPLES)])
    means = values.mean(axis=1)
    return (
        _intervals(means, resampled),
        _intervals(means - means[base], resampled - resampled[:, base : base + 1]),
    )


def _intervals(means: FloatArray, resampled: FloatArray) -> list[Estimate]:
    low, high = np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return [Estimate(*(round(float(x), 6) for x in three)) for three in zip(means, low, high, strict=True)]
