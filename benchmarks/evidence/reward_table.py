"""What the students of experiment 2 say (CLAIMS.md). Needs no text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import click
import numpy as np
from reward_arms import (
    ARMS,
    DATASET,
    IFD,
    JUDGE,
    RANDOM,
    RANDOM_IFD_LENGTH,
    RANDOM_LENGTH,
    RANDOM_WIN_LENGTH,
    SEEDS,
    UNIFORM,
    WIN,
)
from reward_differences import differences, interval, shown_interval
from reward_length import show_length
from reward_pairs import PAIR_REPLICATES, rewards_and_gains, show_pairs
from reward_runs import MEASURES, SHARES, Facts, costs_more, unreached
from scipy.stats import spearmanr
from table import mean_loss, per_byte, shown

from staragents.base.errors import BadInput
from staragents.base.estimate import Estimate
from staragents.evaluation.cell import BASE, CellResult
from staragents.evaluation.choices import PAIR
from staragents.evaluation.grid import losses, writers_of
from staragents.evaluation.power import measured_power

QUESTIONS = 4
CONFIDENCE = 1 - 0.05 / QUESTIONS
"""Of each interval, so that all four hold at once in 95 % of repeats (Bonferroni)."""
MATTERS = 0.004
"""Nats a token: what the judge's choice between two responses was worth in experiment 1."""
PREDICTS = 0.5
"""A rank correlation that a reward should reach."""
REPLICATES = 5
"""That questions 1 to 3 need; all if more are prepared."""
DEARER = 1.05
"""Words written and judged by the learnt policy's run, over those of the uniform run."""

UNREACHED = 0.02
"""The share of prompts for which the uniform run may have no draw: its arm has their seeds."""


@dataclass(frozen=True)
class Test:
    """A question whose answer is yes if the loss of `arm` is below that of `reference`."""

    question: str
    arm: str
    reference: str


TESTS = (
    Test("1. Does w times difficulty beat w alone?", DATASET, WIN),
    Test("2. Does IFD alone beat random choice?", IFD, RANDOM_IFD_LENGTH),
    Test("3. Does the learnt policy beat uniform draws?", DATASET, f"{DATASET}:{UNIFORM}"),
)
ALSO = (
    (DATASET, JUDGE),
    (DATASET, RANDOM),
    (DATASET, RANDOM_LENGTH),
    (DATASET, SEEDS),
    (WIN, RANDOM_LENGTH),
    (WIN, f"{DATASET}:{UNIFORM}"),
    (RANDOM, SEEDS),
    (IFD, RANDOM),
    (IFD, WIN),
    (RANDOM_IFD_LENGTH, WIN),
    (WIN, RANDOM_WIN_LENGTH),
    (RANDOM_IFD_LENGTH, RANDOM_LENGTH),
    (f"{DATASET}:paper", f"{DATASET}:{UNIFORM}"),
)


def show(results: Sequence[CellResult], facts: Facts) -> None:
    """Print everything that students tell. Raises BadInput if they are not those of `facts`."""
    check(results, facts)
    trained = [one for one in results if one.cell.arm != BASE]
    minutes = sum(one.seconds for one in results) / 60
    click.echo(
        f"\n{len(results)} students, {trained[0].trained_tokens:,} response tokens, {minutes:.0f} minutes\n"
    )
    _arms(results, facts)
    _questions(trained, facts)
    click.echo("\n| not tested | replicates | mean and 95 % interval |\n|---|---|---|")
    for arm, reference in ALSO:
        found = differences(trained, arm, reference)
        if found is not None:
            click.echo(f"| {arm} - {reference} | {len(found)} | {shown_interval(found)} |")
    _other_explanations(trained, facts)
    show_length(trained, facts)
    show_pairs(trained, facts)
    for title, values in (
        ("per byte", per_byte),
        *((f"per token, {writer}", losses(writer)) for writer in writers_of(trained)),
    ):
        click.echo(f"\n{title}, 95 % intervals:")
        for test in TESTS:
            found = differences(trained, test.arm, test.reference, values)
            click.echo(f"- {test.arm} - {test.reference}: {shown_interval(found)}")


def check(results: Sequence[CellResult], facts: Facts) -> None:
    """Raises BadInput without a trained student, for one that `facts` do not describe, and for students that
    can't be compared: twice the same, or with other tokens, steps or prompts."""
    rows = len(facts[0]["choices"]["prompts"])
    for one in results:
        cell = one.cell
        known = cell.arm in (BASE, *ARMS) or cell.arm.removeprefix(PAIR) in facts[0]["pairs"]
        if not known or cell.training_seed >= len(facts) or one.rows > rows:
            raise BadInput(
                f"STUDENTS: expected arms of {len(facts)} replicates with {rows} rows (FACTS), got "
                f"{cell.arm}, replicate {cell.training_seed}, with {one.rows} rows"
            )
    trained = [one for one in results if one.cell.arm != BASE]
    if not trained:
        raise BadInput("STUDENTS: expected a student that was trained, got none")
    names = Counter(f"{one.cell.arm}, replicate {one.cell.training_seed}" for one in results)
    if twice := [name for name, count in names.items() if count > 1]:
        raise BadInput(f"STUDENTS: expected each student once, got {twice[0]} {names[twice[0]]} times")
    for name, values in (
        ("response tokens", {str(one.trained_tokens) for one in trained}),
        ("steps", {str(one.steps) for one in trained}),
        ("prompts", {str(len(one.losses)) for one in results}),
    ):
        if len(values) > 1:
            raise BadInput(f"STUDENTS: expected equal {name}, got {' and '.join(sorted(values))}")


def verdict(estimate: Estimate | None, matters: float, replicates: int, planned: int) -> str:
    """Of an interval of which `matters` or more in the negative direction would be an effect. Fewer
    replicates than `planned` test nothing."""
    if estimate is None:
        return "not measured"
    if replicates < planned:
        return f"not tested: {replicates} of {planned} replicates"
    if estimate.high < 0:
        return "supported" if estimate.low <= -matters else "supported, but less than what matters"
    if estimate.low > -matters:
        return "refuted"
    return "not settled"


def _arms(results: Sequence[CellResult], facts: Facts) -> None:
    click.echo(
        "| arm | nats per token | replicates | rows not the seed | of one pair | words a response "
        "| prompts read |"
    )
    click.echo(f"|{'---|' * 7}")
    for arm in (BASE, *ARMS):
        of_arm = sorted(
            (one for one in results if one.cell.arm == arm), key=lambda one: one.cell.training_seed
        )
        if not of_arm:
            continue
        means = [mean_loss(one) for one in of_arm]
        cells = [arm, f"{np.mean(means):.4f}", " ".join(f"{one:.4f}" for one in means), "", "", "", ""]
        if arm != BASE:
            told = [facts[one.cell.training_seed]["arms"][arm] for one in of_arm]
            shares = [f"{np.mean([one[name] for one in told]):.0%}" for name in SHARES]
            words, read = np.mean([one["words"] for one in told]), np.mean([one.rows for one in of_arm])
            cells[3:] = [*shares, f"{words:.0f}", f"{read:.0f}"]
        click.echo(f"| {' | '.join(cells)} |")


def _other_explanations(trained: Sequence[CellResult], facts: Facts) -> None:
    """How far something else than what an arm chooses by tells its students' losses. At equal tokens, a
    student reads fewer prompts if responses are longer, and reads them fewer times."""
    of_arms = [one for one in trained if one.cell.arm in ARMS]
    told = [facts[one.cell.training_seed]["arms"][one.cell.arm] for one in of_arms]
    for title, values in (
        ("the words of a response", [float(one["words"]) for one in told]),
        ("the share of rows not the seed", [float(one["replaced"]) for one in told]),
        ("the number of prompts read", [float(one.rows) for one in of_arms]),
    ):
        if len(set(values)) > 1:
            found = float(spearmanr(values, [mean_loss(one) for one in of_arms])[0])
            click.echo(
                f"\nrank correlation of {title} with the loss, over {len(values)} students: {found:.2f}"
            )


def _questions(trained: Sequence[CellResult], facts: Facts) -> None:
    click.echo(f"\n| question | measured | replicates | mean and {CONFIDENCE:.2%} interval | answer |")
    click.echo("|---|---|---|---|---|")
    found = [differences(trained, test.arm, test.reference) for test in TESTS]
    for test, of_test in zip(TESTS, found, strict=True):
        estimate = interval(of_test, CONFIDENCE)
        replicates = 0 if of_test is None else len(of_test)
        answer = verdict(estimate, MATTERS, replicates, max(REPLICATES, len(facts)))
        if test.reference.endswith(UNIFORM):
            answer = _of_policies(answer, facts)
        difference = f"{test.arm} - {test.reference}"
        cells = (difference, str(replicates), shown_interval(of_test, CONFIDENCE), answer)
        click.echo(f"| {test.question} | {' | '.join(cells)} |")
    _fourth(trained, facts)
    for test, of_test in zip(TESTS, found, strict=True):
        if of_test is not None:
            power = measured_power(of_test[None], CONFIDENCE)
            click.echo(f"\n{test.arm} - {test.reference}, {CONFIDENCE:.2%}: {power}")


def _of_policies(answer: str, facts: Facts) -> str:
    """The answer of question 3, which the runs may make invalid."""
    if answer.startswith("supported") and costs_more(facts) > DEARER:
        return f"not settled: its run cost {costs_more(facts):.2f} times as much"
    if answer.startswith(("supported", "refuted")) and unreached(facts) > UNREACHED:
        return f"not settled: the uniform run did not reach {unreached(facts):.1%} of the prompts"
    return answer


def _fourth(trained: Sequence[CellResult], facts: Facts) -> None:
    replicates, of_measures = rewards_and_gains(trained, facts, CONFIDENCE)
    estimate = of_measures[MEASURES[0]]
    # A loss is better if lower, a correlation if higher.
    turned = estimate and Estimate(-estimate.mean, -estimate.high, -estimate.low)
    answer = verdict(turned, PREDICTS, replicates, PAIR_REPLICATES)
    click.echo(
        "| 4. Does the reward of a pair predict the gain of its student? | rank correlation | "
        f"{replicates} | {shown(estimate)} | {answer} |"
    )
    for measure in MEASURES[1:]:
        click.echo(
            f"| not tested: does its {measure} predict it? | rank correlation | {replicates} "
            f"| {shown(of_measures[measure])} | |"
        )
