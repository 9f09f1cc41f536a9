"""Question 4 of experiment 2 (CLAIMS.md): does the reward of a pair predict the gain of its student?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
import numpy as np
from reward_arms import SEEDS
from reward_differences import grid_with, shown_interval, weighted
from reward_length import reads_once
from reward_runs import MEASURES, Facts, measured
from scipy.stats import permutation_test, rankdata
from table import shown

from staragents.base.estimate import Estimate
from staragents.evaluation.bootstrap import LEVEL, Floats
from staragents.evaluation.by_pair import ORDERS, correlation
from staragents.evaluation.cell import CellResult
from staragents.evaluation.choices import PAIR

PAIR_REPLICATES = 2
"""That the question needs. Further ones do not count, so that nobody can stop when the answer pleases."""
KNOWN = "claude-2.1"
"""The agent whose student is known from experiment 1 (arm F)."""


def rewards_and_gains(
    trained: Sequence[CellResult], facts: Facts, confidence: float, without: str = ""
) -> tuple[int, dict[str, Estimate | None]]:
    """The rank correlation of each of `MEASURES` of a pair under uniform draws with the gain of its student
    over `seeds`, and in how many replicates; None unless all pairs have a student in one of them. `without`:
    an agent to leave out."""
    pairs = [pair for pair in facts[0]["pairs"] if pair != without]
    replicates, gains = _gains(trained, pairs)
    if gains is None:
        return 0, dict.fromkeys(MEASURES)
    return replicates, {
        measure: correlation([measured(facts, pair, measure) for pair in pairs], gains, confidence)
        for measure in MEASURES
    }


def show_pairs(trained: Sequence[CellResult], facts: Facts) -> None:
    """Print what else may explain the gains of pairs: none of it answers the question. Nothing is printed
    of students that read rows twice, as their tokens do not tell the length of a response."""
    pairs = list(facts[0]["pairs"])
    replicates, gains = _gains(trained, pairs)
    if gains is None:
        return
    counted = [one for one in trained if one.cell.arm.startswith(PAIR) and reads_once(one, facts)]
    if len(counted) < len(pairs) * replicates:
        return
    tokens = _tokens(counted, pairs)
    click.echo(f"\n| pair | reward | w | IFD gap | tokens a response | gain, 95 % |\n|{'---|' * 6}")
    for pair, of_pair, length in zip(pairs, gains, tokens, strict=True):
        cells = [f"{value:.3f}" if value is not None else "-" for value in _measures(facts, pair)]
        click.echo(f"| {pair} | {' | '.join(cells)} | {length:.0f} | {shown_interval(of_pair)} |")
    mean_gains = gains.mean(axis=(1, 2))
    _, others = rewards_and_gains(trained, facts, LEVEL, without=KNOWN)
    click.echo(f"\nrank correlations with the gain, 95 % intervals, {replicates} replicates:")
    click.echo(f"- reward, without {KNOWN}: {shown(others[MEASURES[0]])}")
    click.echo(f"- tokens a response: {shown(correlation(list(tokens), gains))}")
    for measure in MEASURES:
        values = [measured(facts, pair, measure) for pair in pairs]
        if None not in values:
            partial, p = partial_correlation(np.array(values, float), mean_gains, tokens)
            click.echo(f"- {measure} at equal tokens a response: {partial:+.2f} (permutation p = {p:.4f})")


def partial_correlation(x: Floats, y: Floats, given: Floats) -> tuple[float, float]:
    """The rank correlation of x and y, all of shape (pairs,), after a straight line in the ranks of `given`
    is taken from both, and its two-sided p-value by permuting the residuals of x."""
    of_x, of_y = (_residuals(rankdata(values), rankdata(given)) for values in (x, y))
    below = float(np.sqrt((of_x**2).sum() * (of_y**2).sum()))
    if below < 1e-9:
        return float("nan"), 1.0

    def statistic(ordered: Any, axis: int) -> Any:
        return (ordered * of_y).sum(axis=axis) / below

    found = permutation_test(
        (of_x,), statistic, permutation_type="pairings", vectorized=True, n_resamples=ORDERS, rng=0
    )
    return float(found.statistic), float(found.pvalue)


def _residuals(values: Floats, given: Floats) -> Floats:
    slope, height = np.polyfit(given, values, 1)
    return np.asarray(values - slope * given - height)


def _gains(trained: Sequence[CellResult], pairs: Sequence[str]) -> tuple[int, Floats | None]:
    """The number of replicates, and the losses of `seeds` minus those of each pair's student, shape (pairs,
    replicates, prompts)."""
    counted = [one for one in trained if one.cell.training_seed < PAIR_REPLICATES]
    names = [f"{PAIR}{pair}" for pair in pairs]
    grid = grid_with(counted, (SEEDS, *names))
    if grid is None:
        return 0, None
    return len(grid.training_seeds), np.array([weighted(grid, {SEEDS: 1, name: -1}) for name in names])


def _tokens(trained: Sequence[CellResult], pairs: Sequence[str]) -> Floats:
    """The mean response tokens a row of each pair's students, which read no row twice."""
    return np.array(
        [
            np.mean([one.trained_tokens / one.rows for one in trained if one.cell.arm == f"{PAIR}{pair}"])
            for pair in pairs
        ]
    )


def _measures(facts: Facts, pair: str) -> list[float | None]:
    return [measured(facts, pair, measure) for measure in MEASURES]
