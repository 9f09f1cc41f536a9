"""The tables of experiment 2 (CLAIMS.md). Needs no text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click
import numpy as np
from reward_arms import ARMS, DATASET, DEFAULT, IFD, JUDGE, RANDOM, RANDOM_LENGTH, SEEDS, UNIFORM, WIN
from table import per_byte, shown

from staragents.base.estimate import Estimate
from staragents.evaluation.bootstrap import LEVEL, Floats, difference_intervals
from staragents.evaluation.by_pair import correlation
from staragents.evaluation.cell import BASE, CellResult
from staragents.evaluation.choices import PAIR
from staragents.evaluation.grid import Grid, Values, grid_of, losses, writers_of
from staragents.evaluation.power import measured_power, power_of
from staragents.replay.replay import Difference

QUESTIONS = 4
CONFIDENCE = 1 - 0.05 / QUESTIONS
"""Of each interval, so that all four hold at once in 95 % of repeats (Bonferroni)."""
MATTERS = 0.004
"""Nats a token: what the judge's choice between two responses was worth in experiment 1."""
PREDICTS = 0.5
"""A rank correlation that a reward should reach."""
REPLICATES = range(3, 9)
"""From which the pilot chooses."""
DEARER = 1.05
"""Words written and judged by the learnt policy's run, over those of the uniform run."""

SHARES = ("replaced", "commonest")
MEASURES = ("reward", "judge_win", "ifd_gap")

Facts = Sequence[Mapping[str, Any]]
"""Of each replicate, as `facts_of_replicate` returns them."""


@dataclass(frozen=True)
class Test:
    """A question whose answer is yes if the loss of `arm` is below that of `reference`."""

    question: str
    arm: str
    reference: str


TESTS = (
    Test("1. Does w times difficulty beat w alone?", DATASET, WIN),
    Test("2. Does IFD alone beat random choice?", IFD, RANDOM_LENGTH),
    Test("3. Does the learnt policy beat uniform draws?", DATASET, f"{DATASET}:{UNIFORM}"),
)
ALSO = (
    (DATASET, JUDGE),
    (DATASET, RANDOM),
    (DATASET, RANDOM_LENGTH),
    (DATASET, SEEDS),
    (RANDOM, SEEDS),
    (IFD, RANDOM),
    (f"{DATASET}:paper", f"{DATASET}:{UNIFORM}"),
)


def show_runs(facts: Facts) -> None:
    """Print what the runs earned and what choosing cost."""
    click.echo(f"{len(facts)} replicates of {len(facts[0]['choices']['prompts'])} seeds\n")
    click.echo(
        f"| run | reward of a draw | minus {UNIFORM}, 95 % | w of the dataset | replaced | of one pair |"
    )
    click.echo("|---|---|---|---|---|---|")
    rewards = {run: np.array([one["earned"][run]["reward"] for one in facts]) for run in facts[0]["earned"]}
    for run, values in rewards.items():
        arm = DATASET if run == DEFAULT else f"{DATASET}:{run}"
        win = np.mean([one["earned"][run]["judge_win"] for one in facts])
        replaced, commonest = (np.mean([one["arms"][arm][name] for one in facts]) for name in SHARES)
        click.echo(
            f"| {run} | {values.mean():.3f} | {_paired(values - rewards[UNIFORM])} | {win:.3f} "
            f"| {replaced:.0%} | {commonest:.0%} |"
        )
    click.echo("\n| pair | reward | w | IFD gap |\n|---|---|---|---|")
    means = {
        pair: [np.mean([one["pairs"][pair][name] for one in facts]) for name in MEASURES]
        for pair in facts[0]["pairs"]
    }
    for pair, values in sorted(means.items(), key=lambda item: -item[1][0]):
        click.echo(f"| {pair} | {' | '.join(f'{one:.3f}' for one in values)} |")
    _costs(facts)


def _paired(differences: Floats) -> str:
    """The mean difference of replicates with its interval."""
    found = Difference.of(differences)
    if found.half_width is None or not differences.any():
        return "-"
    return f"{found.mean:+.3f} +- {found.half_width:.3f}"


def show(results: Sequence[CellResult], facts: Facts) -> None:
    """Print everything that students tell."""
    trained = [one for one in results if one.cell.arm != BASE and not one.cell.arm.startswith(PAIR)]
    grid = grid_of(trained, losses())
    if grid is None:
        click.echo("no student of an arm is finished in a replicate that all arms share")
        return
    minutes = sum(one.seconds for one in results) / 60
    click.echo(
        f"{len(results)} students, {trained[0].trained_tokens:,} response tokens, {minutes:.0f} minutes"
    )
    _arms(grid, results, facts)
    _questions(grid, results, facts)
    _others(grid)
    for title, values in (
        ("per byte", per_byte),
        *((f"per token, {writer}", losses(writer)) for writer in writers_of(trained)),
    ):
        _by(trained, values, title)


def verdict(estimate: Estimate | None, matters: float, replicates: int) -> str:
    """Of an interval of which `matters` or more in the negative direction would be an effect. Fewer
    replicates than `REPLICATES` are a pilot, whose losses test nothing."""
    if estimate is None:
        return "not measured"
    if replicates < min(REPLICATES):
        return f"not tested: {replicates} of {min(REPLICATES)} replicates"
    if estimate.high < 0:
        return "supported" if estimate.low <= -matters else "supported, but less than what matters"
    if estimate.low > -matters:
        return "refuted"
    return "not settled"


def costs_more(facts: Facts) -> float:
    """Words that the learnt policy's run wrote and had judged, over those of the uniform run."""
    spent = {
        name: sum(one["costs"][name]["words_written"] + one["costs"][name]["words_judged"] for one in facts)
        for name in (DEFAULT, UNIFORM)
    }
    return float(spent[DEFAULT] / spent[UNIFORM])


def _arms(grid: Grid, results: Sequence[CellResult], facts: Facts) -> None:
    click.echo(f"\n{len(grid.units)} prompts, {len(grid.training_seeds)} replicates\n")
    click.echo("| arm | nats per token | replicates | rows not the seed | of one pair | words a response |")
    click.echo("|---|---|---|---|---|---|")
    for one in results:
        if one.cell.arm == BASE:
            untrained = np.mean(list((losses()(one) or {}).values()))
            click.echo(f"| untrained | {untrained:.4f} | | | | |")
    for arm in (one for one in ARMS if one in grid.arms):
        by_seed = grid.row(arm).mean(axis=1)
        of_arm = [one["arms"][arm] for one in facts]
        replaced, commonest, words = (
            np.mean([one[name] for one in of_arm]) for name in ("replaced", "commonest", "words")
        )
        click.echo(
            f"| {arm} | {by_seed.mean():.4f} | {' '.join(f'{one:.4f}' for one in by_seed)} | {replaced:.0%} "
            f"| {commonest:.0%} | {words:.0f} |"
        )


def _questions(grid: Grid, results: Sequence[CellResult], facts: Facts) -> None:
    click.echo(f"\n| question | measured | mean and {CONFIDENCE:.2%} interval | answer |\n|---|---|---|---|")
    for test in TESTS:
        estimate = estimated(grid, test.arm, test.reference, CONFIDENCE)
        answer = verdict(estimate, MATTERS, len(grid.training_seeds))
        if test.reference.endswith(UNIFORM) and answer.startswith("supported") and costs_more(facts) > DEARER:
            answer = f"not settled: its run cost {costs_more(facts):.2f} times as much"
        click.echo(f"| {test.question} | {test.arm} - {test.reference} | {shown(estimate)} | {answer} |")
    estimate = reward_and_gain(results, facts, "reward", CONFIDENCE)
    answer = "not measured"
    if estimate is not None:
        # A loss is better if lower, a correlation if higher.
        turned = Estimate(-estimate.mean, -estimate.high, -estimate.low)
        answer = verdict(turned, PREDICTS, len(grid.training_seeds))
    click.echo(
        "| 4. Does the reward of a pair predict the gain of its student? | rank correlation | "
        f"{shown(estimate)} | {answer} |"
    )
    for measure in ("judge_win", "ifd_gap"):
        click.echo(
            f"\nrank correlation of a pair's {measure} with its gain (95 %): "
            f"{shown(reward_and_gain(results, facts, measure))}"
        )


def estimated(grid: Grid, arm: str, reference: str, confidence: float = LEVEL) -> Estimate | None:
    """`arm` minus `reference`; None if one of them is missing."""
    if not {arm, reference} <= set(grid.arms):
        return None
    return difference_intervals((grid.row(arm) - grid.row(reference))[None], confidence)[0]


def reward_and_gain(
    results: Sequence[CellResult], facts: Facts, measure: str, confidence: float = LEVEL
) -> Estimate | None:
    """The rank correlation of a pair's mean measure under uniform draws with the gain of its student over
    `seeds`; None with too few pairs."""
    grid = grid_of(
        [one for one in results if one.cell.arm == SEEDS or one.cell.arm.startswith(PAIR)], losses()
    )
    if grid is None or SEEDS not in grid.arms:
        return None
    arms, differences = grid.against(SEEDS)
    measured = [[one["pairs"][arm.removeprefix(PAIR)][measure] for one in facts] for arm in arms]
    means = [float(np.mean(values)) if None not in values else None for values in measured]
    return correlation(means, -differences, confidence)


def _others(grid: Grid) -> None:
    click.echo("\n| not tested | mean and 95 % interval |\n|---|---|")
    for arm, reference in ALSO:
        click.echo(f"| {arm} - {reference} | {shown(estimated(grid, arm, reference))} |")
    tested = [
        grid.row(test.arm) - grid.row(test.reference)
        for test in TESTS
        if {test.arm, test.reference} <= set(grid.arms)
    ]
    if tested:
        click.echo(f"\n{replicates_needed(np.array(tested))}")


def replicates_needed(differences: Floats) -> str:
    """How many replicates show a difference of `MATTERS`, by the deviations of the tested differences, shape
    (tests, replicates, prompts)."""
    measured = measured_power(differences)
    for replicates in REPLICATES:
        power = power_of(
            measured.conversations,
            replicates,
            QUESTIONS,
            measured.conversation_sd,
            measured.training_sd,
            measured.measured,
        )
        if power.difference <= MATTERS:
            break
    return f"replicates: {replicates}, as {power}"


def _costs(facts: Facts) -> None:
    click.echo("\n| run | candidates | words written | words judged | tokens scored: target | larger |")
    click.echo("|---|---|---|---|---|---|")
    names = ("candidates", "words_written", "words_judged", "target_tokens", "larger_tokens")
    for run in facts[0]["costs"]:
        means = [np.mean([one["costs"][run][name] for one in facts]) for name in names]
        click.echo(f"| {run} | {' | '.join(f'{one:,.0f}' for one in means)} |")
    click.echo(
        f"\n{DEFAULT} wrote and judged {costs_more(facts):.3f} times the words of {UNIFORM}. {RANDOM} needs "
        f"one candidate a seed; {JUDGE} and {WIN} need no scores; {IFD} needs the target's scores and no "
        "verdict."
    )


def _by(results: Sequence[CellResult], values: Values, title: str) -> None:
    """The tested differences in another measure."""
    grid = grid_of(results, values)
    if grid is None:
        return
    click.echo(f"\n{title}:")
    for test in TESTS:
        click.echo(f"- {test.arm} - {test.reference}: {shown(estimated(grid, test.arm, test.reference))}")
