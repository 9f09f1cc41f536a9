"""Differences of losses between arms of experiment 2, paired by replicate and prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from table import shown

from staragents.base.estimate import Estimate
from staragents.evaluation.bootstrap import LEVEL, Floats, difference_intervals
from staragents.evaluation.cell import CellResult
from staragents.evaluation.grid import Grid, Values, grid_of, losses


def grid_with(
    results: Sequence[CellResult], arms: Sequence[str], values: Values | None = None
) -> Grid | None:
    """`values` (the loss per token if None) of `arms` in the replicates and on the prompts that all of them
    have; None if there are none."""
    grid = grid_of([one for one in results if one.cell.arm in arms], values or losses())
    return None if grid is None or not set(arms) <= set(grid.arms) else grid


def weighted(grid: Grid, weights: Mapping[str, float | Floats]) -> Floats:
    """The weighted sum of the losses of arms, shape (replicates, prompts). A weight of shape (replicates, 1)
    differs between replicates."""
    return np.sum([weight * grid.row(arm) for arm, weight in weights.items()], axis=0)


def differences(
    results: Sequence[CellResult], arm: str, reference: str, values: Values | None = None
) -> Floats | None:
    """`arm` minus `reference`, shape (replicates, prompts); None if no replicate has both."""
    grid = grid_with(results, (arm, reference), values)
    return None if grid is None else weighted(grid, {arm: 1, reference: -1})


def interval(found: Floats | None, confidence: float = LEVEL) -> Estimate | None:
    """Of the mean of `differences`."""
    return None if found is None else difference_intervals(found[None], confidence)[0]


def shown_interval(found: Floats | None, confidence: float = LEVEL) -> str:
    """The mean, with an interval if replicates tell how far they differ."""
    if found is not None and len(found) < 2:
        return f"{found.mean():+.4f}"
    return shown(interval(found, confidence))
