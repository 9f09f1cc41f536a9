"""Whether the length of responses explains the answers of experiment 2 (CLAIMS.md, secondary analyses)."""

from __future__ import annotations

from collections.abc import Sequence

import click
import numpy as np
from reward_arms import DATASET, IFD, RANDOM_IFD_LENGTH, RANDOM_LENGTH, RANDOM_WIN_LENGTH, WIN
from reward_differences import differences, grid_with, shown_interval, weighted
from reward_runs import Facts

from staragents.evaluation.bootstrap import Floats
from staragents.evaluation.cell import CellResult
from staragents.evaluation.grid import Grid

MATCHED = ((DATASET, RANDOM_LENGTH), (WIN, RANDOM_WIN_LENGTH), (IFD, RANDOM_IFD_LENGTH))
"""An arm, and random candidates of its length."""
LEAST_SPREAD = 0.1
"""In log tokens a row, between the two random arms from which the effect of length is taken."""


def show_length(trained: Sequence[CellResult], facts: Facts) -> None:
    """Print how well lengths match, and question 1 against random candidates of the same length.

    Only of students that read no row twice: the response tokens of others do not tell the length of a row.
    """
    once = [one for one in trained if reads_once(one, facts)]
    _matches(once)
    lines = [
        (f"{RANDOM_IFD_LENGTH} - {RANDOM_LENGTH}", differences(once, RANDOM_IFD_LENGTH, RANDOM_LENGTH)),
        (f"({DATASET} - {RANDOM_LENGTH}) - ({WIN} - {RANDOM_WIN_LENGTH})", _each_at_its_length(once)),
        (f"exploratory: {DATASET} - {WIN} on the line of the random arms", _on_the_line(once)),
    ]
    if any(found is not None for _, found in lines):
        click.echo("\n| length, within one pass | replicates | mean and 95 % interval |\n|---|---|---|")
    for title, found in lines:
        if found is not None:
            click.echo(f"| {title} | {len(found)} | {shown_interval(found)} |")


def reads_once(student: CellResult, facts: Facts) -> bool:
    """Whether it ended before the last row of its arm."""
    return student.rows < len(facts[0]["choices"]["prompts"])


def _matches(once: Sequence[CellResult]) -> None:
    for arm, random in MATCHED:
        if (grid := grid_with(once, (arm, random))) is not None:
            more = np.exp(_log_tokens(once, grid, random) - _log_tokens(once, grid, arm)) - 1
            each = " ".join(f"{one:+.1%}" for one in more.ravel())
            click.echo(f"\n{random} has {more.mean():+.1%} tokens a row compared with {arm} ({each})")


def _each_at_its_length(once: Sequence[CellResult]) -> Floats | None:
    grid = grid_with(once, (DATASET, RANDOM_LENGTH, WIN, RANDOM_WIN_LENGTH))
    if grid is None:
        return None
    return weighted(grid, {DATASET: 1, RANDOM_LENGTH: -1, WIN: -1, RANDOM_WIN_LENGTH: 1})


def _on_the_line(once: Sequence[CellResult]) -> Floats | None:
    """`DATASET` - `WIN`, less what random candidates gain by the same difference in log tokens a row, in each
    replicate. It takes the loss to be linear in them. None if the random arms differ too little."""
    grid = grid_with(once, (DATASET, WIN, RANDOM_IFD_LENGTH, RANDOM_LENGTH))
    if grid is None:
        return None
    dataset, win, long, short = (
        _log_tokens(once, grid, arm) for arm in (DATASET, WIN, RANDOM_IFD_LENGTH, RANDOM_LENGTH)
    )
    if np.abs(long - short).min() < LEAST_SPREAD:
        return None
    share = (dataset - win) / (long - short)
    return weighted(grid, {DATASET: 1, WIN: -1, RANDOM_IFD_LENGTH: -share, RANDOM_LENGTH: share})


def _log_tokens(once: Sequence[CellResult], grid: Grid, arm: str) -> Floats:
    """Log response tokens a row of an arm, shape (replicates, 1)."""
    tokens = {one.cell.training_seed: one.trained_tokens / one.rows for one in once if one.cell.arm == arm}
    return np.log([[tokens[seed]] for seed in grid.training_seeds])
