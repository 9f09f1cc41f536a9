"""Simulated students: losses with known differences between arms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from staragents.base.statistics import Mean
from staragents.evaluation.arm import Arm, TrainingRow
from staragents.evaluation.arms import Arms
from staragents.evaluation.build import evaluation_of
from staragents.evaluation.cell import BASE, Cell, CellResult, Loss
from staragents.evaluation.evaluation import Evaluation, HeldOutFacts
from staragents.evaluation.judge_facts import JudgeFacts
from staragents.evaluation.pair_measures import PairMeasures

WRITERS = ("alpha", "beta")
PAIRS = [f"pair:p{number}" for number in range(8)]
HELD_OUT = HeldOutFacts("held.jsonl", "0" * 64, 999, [])
ARMS = {"dataset": -0.05, "seeds": 0.0, "random": 0.0, "shuffled": 0.2}


def students(
    effects: Mapping[str, float],
    training_seeds: int = 3,
    conversations: int = 60,
    world: int = 0,
    between_conversations: float = 0.05,
    between_seeds: float = 0.005,
    within: float = 0.02,
) -> list[CellResult]:
    """The results of all arms and of the untrained student. `effects`: the true mean difference of each arm's
    loss; the others are standard deviations of a difference between two arms."""
    rng = np.random.default_rng(world)
    hard = rng.normal(2.0, 0.5, (conversations, len(WRITERS)))
    tokens = rng.integers(20, 200, (conversations, len(WRITERS)))
    results = [_student(Cell(BASE, 0), hard + 0.3, tokens)]
    for arm, effect in effects.items():
        of_arm = hard + effect + rng.normal(0, between_conversations / 2**0.5, (conversations, 1))
        for seed in range(training_seeds):
            shift = rng.normal(0, between_seeds / 2**0.5)
            noise = rng.normal(0, within / 2**0.5, (conversations, 1))
            results.append(_student(Cell(arm, seed), of_arm + shift + noise, tokens))
    return results


def _student(cell: Cell, nats: np.ndarray, tokens: np.ndarray) -> CellResult:
    losses = {
        f"c{number}": {
            writer: Loss(float(nats[number, at]), int(tokens[number, at]), 4 * int(tokens[number, at]))
            for at, writer in enumerate(WRITERS)
        }
        for number in range(len(nats))
    }
    trained = 0 if cell.arm == BASE else 50_000
    return CellResult(cell, losses, trained, 400, 50, None if cell.arm == BASE else 1.5, 10.0)


def arms_named(names: Sequence[str], rows: int = 40, filled: int = 0) -> Arms:
    made = tuple(
        Arm(name, tuple(TrainingRow(str(number), (), number < filled) for number in range(rows)))
        for name in names
    )
    return Arms(made, {}, frozenset(map(str, range(rows))), ())


def evaluated(
    results: Sequence[CellResult],
    arms: Arms | None = None,
    prompts: dict[str, str] | None = None,
    judge: JudgeFacts | None = None,
) -> Evaluation:
    """The evaluation of students; `arms`: unset, those of the students, whose rows all differ."""
    names = dict.fromkeys(one.cell.arm for one in results if one.cell.arm != BASE)
    return evaluation_of(
        arms or arms_named(list(names)),
        results,
        student="packaged:smollm2-135m-instruct",
        runs=["runs/mine"],
        settings={"epochs": 1.0},
        held_out=HELD_OUT,
        prompts=prompts,
        judge=judge,
    )


def measured_pairs(gains: Sequence[float]) -> dict[str, PairMeasures]:
    """Of `PAIRS`: rewards like their gains, IFD gaps in the opposite order, no verdicts."""

    def of(value: float) -> PairMeasures:
        return PairMeasures(30, *(Mean(1, sign * value, 0.0) for sign in (1, -1)), Mean())

    return {name: of(gain) for name, gain in zip(PAIRS, gains, strict=True)}
