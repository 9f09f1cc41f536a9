"""Which simulated students count, where others diverged or have no losses."""

from __future__ import annotations

import dataclasses

import pytest

from staragents.base.errors import BadInput, RunFailed
from staragents.evaluation.cell import Cell
from staragents.evaluation.evaluation import Evaluation
from tests.support.student_worlds import ARMS, arms_named, evaluated, students


def test_a_student_that_diverged_does_not_count_and_is_named() -> None:
    results = students(ARMS, training_seeds=3)
    at = next(i for i, one in enumerate(results) if one.cell == Cell("random", 1))
    results[at] = dataclasses.replace(results[at], losses={}, diverged="the loss of step 3 is nan")
    found = evaluated(results)
    assert found.training_seeds == [0, 2]
    assert found.warnings[0] == (
        "random, training seed 1: the loss of step 3 is nan, so this student does not count; try a lower "
        "evaluation.learning_rate"
    )
    only = [one for one in results if one.cell == Cell("random", 1)]
    with pytest.raises(
        BadInput, match=r"^evaluation.learning_rate: .*: random, training seed 1: the loss of"
    ):
        evaluated(only)


def test_an_arm_that_diverged_leaves_the_others_their_training_seeds() -> None:
    results = [
        dataclasses.replace(one, losses={}, diverged="the loss of step 3 is nan")
        if one.cell.arm == "random" and one.cell.training_seed > 0
        else one
        for one in students(ARMS, training_seeds=3)
    ]
    found = evaluated(results)
    assert found.training_seeds == [0, 1, 2]
    assert [row.name for row in found.arms] == ["dataset", "seeds", "shuffled"]
    assert found.warnings[2] == (
        "random is left out: it shares fewer than two training seeds with the other arms; more training "
        "seeds (--seeds) may keep it"
    )


def test_the_order_of_arms_and_references_is_not_that_of_students_that_survived() -> None:
    names = ["A:random", "B:random", "A:dataset", "B:dataset"]
    results = students(dict.fromkeys(names, 0.0), training_seeds=3)
    # As the command trains them: all arms of a training seed after those of the other.
    results.sort(key=lambda one: one.cell.training_seed)

    def without(*lost: Cell) -> Evaluation:
        diverged = [
            dataclasses.replace(one, losses={}, diverged="x") if one.cell in lost else one for one in results
        ]
        return evaluated(diverged, arms_named(names))

    for seed in range(3):
        found = without(Cell("A:random", seed))
        assert [row.name for row in found.arms] == names
        assert found.references == ["A:random", "A:dataset"]
    # Each of the first two shares one training seed with the other: the last one is left out.
    found = without(Cell("A:random", 0), Cell("B:random", 1))
    assert [row.name for row in found.arms] == ["A:random", "A:dataset", "B:dataset"]
    assert found.references == ["A:random", "A:dataset"]


def test_answers_without_a_loss_are_no_fault_of_the_learning_rate() -> None:
    nothing = [dataclasses.replace(one, losses={}) for one in students(ARMS)]
    with pytest.raises(RunFailed, match=r"^--held-out: no answer has a loss: .* evaluation\.max_length$"):
        evaluated(nothing)
    results = students(ARMS, training_seeds=3)
    results[1] = dataclasses.replace(results[1], losses={})
    warning = evaluated(results).warnings[0]
    assert warning.startswith("dataset, training seed 0: no answer has a loss: ")
    assert "learning_rate" not in warning


def test_an_arm_that_shares_no_training_seed_is_left_out() -> None:
    results = [one for one in students(ARMS) if one.cell.arm != "shuffled"]
    results.append(dataclasses.replace(results[1], cell=Cell("shuffled", 9)))
    found = evaluated(results)
    assert [row.name for row in found.arms] == ["dataset", "seeds", "random"]
    assert "shuffled is left out" in found.warnings[0]
