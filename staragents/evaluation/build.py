"""Makes the result from the arms and the measurements of all students."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from staragents.base.errors import BadInput, RunFailed
from staragents.base.estimate import Estimate
from staragents.evaluation.arm import Arm
from staragents.evaluation.arm_row import LOSS, SCORE, WINS, ArmRow, Difference
from staragents.evaluation.arms import Arms
from staragents.evaluation.bootstrap import LEAST, difference_intervals, mean_intervals
from staragents.evaluation.by_pair import by_pair
from staragents.evaluation.caveats import warnings_for
from staragents.evaluation.cell import BASE, CellResult
from staragents.evaluation.choices import SEEDS
from staragents.evaluation.evaluation import Evaluation, HeldOutFacts
from staragents.evaluation.grid import (
    POOLED,
    Grid,
    Grids,
    Values,
    grid_of,
    losses,
    score,
    tasks_of,
    wins,
    writers_of,
)
from staragents.evaluation.judge_facts import JudgeFacts
from staragents.evaluation.power import Power, measured_power, power_of
from staragents.evaluation.references import families_of, references_of

UNMEASURED = (
    "no answer has a loss: each is empty without its reasoning, or its prompt leaves no room within "
    "evaluation.max_length"
)

NONE = Estimate(0.0, 0.0, 0.0)
"""The difference of students from themselves."""


def evaluation_of(
    arms: Arms,
    results: Sequence[CellResult],
    *,
    student: str,
    runs: Sequence[str],
    settings: Mapping[str, Any],
    held_out: HeldOutFacts,
    answer_tokens: Mapping[str, float] | None = None,
    prompts: Mapping[str, str] | None = None,
    warnings: Sequence[str] = (),
    judge: JudgeFacts | None = None,
) -> Evaluation:
    """The evaluation of all finished students.

    Only training seeds that every arm has count. A student that diverged does not count, and an arm with too
    few students is left out; a warning names both. `answer_tokens`: mean tokens of an answer by arm.
    `prompts`: of held-out conversations (`prompts_of`); unset: each has its own.
    `warnings` are further ones of the caller. Raises RunFailed if no answer has a loss,
    BadInput if every student diverged.
    """
    trained, lost = usable([one for one in results if one.cell.arm != BASE], arms)
    grid = grid_of(trained, losses(prompts=prompts))
    if not any(one.losses or one.diverged for one in results):
        raise RunFailed(f"--held-out: {UNMEASURED}")
    if not trained:
        raise BadInput(
            "evaluation.learning_rate: expected one with finite losses, got "
            f"{settings.get('learning_rate')}: {lost[0]}"
        )
    if grid is None:
        raise RunFailed("evaluate: no held-out answer has a loss in every arm")
    names = list(grid.arms)
    references = references_of(names)
    measures = [(LOSS, one, losses(one, prompts)) for one in (POOLED, *writers_of(trained))]
    measures += [(WINS, "", wins)] + [(SCORE, task, score(task)) for task in tasks_of(trained)]
    grids = {(name, of): grid_of(trained, values) for name, of, values in measures}
    rows = _rows(arms, trained, grids, answer_tokens or {})
    gains = by_pair(grid, arms, SEEDS)
    differences = [
        one
        for (name, of), found in grids.items()
        if found is not None
        for reference in references
        for one in _differences(found, name, of, reference, arms)
    ]
    untrained = [one for one in results if one.cell.arm == BASE]
    return Evaluation(
        student=student,
        runs=list(runs),
        settings=dict(settings),
        held_out=HeldOutFacts(held_out.path, held_out.sha256, len(grid.units), writers_of(trained)),
        seeds=arms.seeds,
        training_seeds=list(grid.training_seeds),
        references=references,
        untrained=_untrained(untrained, measures) if untrained else None,
        arms=rows,
        differences=differences,
        power=_power(grid, references[0], arms),
        by_pair=gains,
        warnings=[
            *arms.warnings,
            *lost,
            *warnings,
            *warnings_for(rows, grid, grids, gains, references, arms, judge),
        ],
        judge=judge,
        results=list(arms.results),
    )


def usable(results: Sequence[CellResult], arms: Arms) -> tuple[list[CellResult], list[str]]:
    """The students with losses, of arms that share training seeds, and warnings about the others. Those of
    arms with the rows of an earlier one, which were trained once, are there under every name.

    The arms share at least two training seeds, if any arm has two: one that leaves fewer is left out, as
    intervals from a single training seed are too narrow; of several, the last. The order is that of `arms`,
    which decides the references, and not that of the students that did not fail.
    """
    measured, warnings = [], []
    for one in results:
        if one.losses:
            measured.append(one)
            continue
        student = f"{one.cell.arm}, training seed {one.cell.training_seed}"
        instead = "; try a lower evaluation.learning_rate" if one.diverged else ""
        warnings.append(f"{student}: {one.diverged or UNMEASURED}, so this student does not count{instead}")
    seeds = {
        arm.name: {one.cell.training_seed for one in measured if one.cell.arm == arm.name}
        for arm in arms.distinct
    }
    of_arms = {name: some for name, some in seeds.items() if some}
    needed = min(2, max(map(len, of_arms.values()), default=0))
    while len(of_arms) > 1 and len(set.intersection(*of_arms.values())) < needed:
        fewest = min(reversed(of_arms), key=lambda arm: len(of_arms[arm]))
        del of_arms[fewest]
        shared = "no training seed" if needed < 2 else "fewer than two training seeds"
        warnings.append(
            f"{fewest} is left out: it shares {shared} with the other arms; more training seeds (--seeds) "
            "may keep it"
        )
    kept = [
        replace(one, cell=replace(one.cell, arm=arm.name))
        for arm in arms.arms
        if arms.trained_as(arm.name) in of_arms
        for one in measured
        if one.cell.arm == arms.trained_as(arm.name)
    ]
    return kept, warnings


def _differences(grid: Grid, measure: str, of: str, reference: str, arms: Arms) -> list[Difference]:
    """The same students under two names count once."""
    if reference not in grid.arms:
        return []
    names, values = grid.against(reference)
    found: dict[str, Estimate | None] = {}
    for family in families_of(names, arms.pairs):
        index = {arms.trained_as(name): names.index(name) for name in family}
        index.pop(arms.trained_as(reference), None)
        intervals = difference_intervals(values[[*index.values()]], least=_least(measure))
        trained = dict(zip(index, intervals, strict=True)) | {arms.trained_as(reference): NONE}
        found |= {name: trained[arms.trained_as(name)] for name in family}
    return [Difference(measure, of, name, reference, found[name]) for name in names]


def _power(grid: Grid, reference: str, arms: Arms) -> Power:
    """Of the arms that are no pair's, or of all if there are no others."""
    names, values = grid.against(reference)
    at = [names.index(name) for name in arms.main_students(names, reference)]
    return measured_power(values[at]) if at else power_of(len(grid.units), len(grid.training_seeds), 1)


def _rows(
    arms: Arms,
    results: Sequence[CellResult],
    grids: Grids,
    answer_tokens: Mapping[str, float],
) -> list[ArmRow]:
    known = {arm.name: arm for arm in arms.arms}
    estimates = {key: _estimates(grid, key[0]) for key, grid in grids.items()}
    names = dict.fromkeys(one.cell.arm for one in results)
    return [
        _row(
            name,
            known.get(name),
            [one for one in results if one.cell.arm == name],
            estimates,
            answer_tokens.get(arms.trained_as(name)),
        )
        for name in names
    ]


def _estimates(grid: Grid | None, measure: str) -> dict[str, Estimate | None]:
    if grid is None:
        return {}
    if measure == SCORE and len(grid.training_seeds) == 1:
        # One number, which has no interval but is worth showing.
        return {
            arm: Estimate(mean, mean, mean) for arm in grid.arms for mean in grid.row(arm).ravel().tolist()
        }
    return dict(zip(grid.arms, mean_intervals(grid.values, least=_least(measure)), strict=True))


def _least(measure: str) -> int:
    """Units that an interval of this measure needs."""
    return 1 if measure == SCORE else LEAST


def _row(
    name: str,
    arm: Arm | None,
    cells: Sequence[CellResult],
    estimates: Mapping[tuple[str, str], Mapping[str, Estimate | None]],
    answer_tokens: float | None,
) -> ArmRow:
    finals = [one.final_loss for one in cells if one.final_loss is not None]
    return ArmRow(
        name=name,
        rows=len(arm.rows) if arm is not None else 0,
        filled=arm.filled if arm is not None else 0,
        answer_tokens=answer_tokens,
        trained_tokens=_mean([one.trained_tokens for one in cells]),
        steps=_mean([one.steps for one in cells]),
        final_loss=_mean(finals) if finals else None,
        seconds=round(sum(one.seconds for one in cells), 3),
        loss=estimates[LOSS, ""].get(name),
        writers={of: found.get(name) for (measure, of), found in estimates.items() if measure == LOSS and of},
        wins=estimates[WINS, ""].get(name),
        scores={of: found.get(name) for (measure, of), found in estimates.items() if measure == SCORE},
    )


def _untrained(results: Sequence[CellResult], measures: Sequence[tuple[str, str, Values]]) -> ArmRow:
    estimates = {(name, of): _estimates(grid_of(results, values), name) for name, of, values in measures}
    return _row(BASE, None, results, estimates, None)


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 4)
