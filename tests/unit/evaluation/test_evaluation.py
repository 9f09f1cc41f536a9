"""Evaluations of simulated students: what is found, what is left out, and what the file keeps."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from staragents.base.estimate import Estimate
from staragents.evaluation.cell import BASE, Cell, CellResult, Loss
from staragents.evaluation.evaluation import Evaluation
from staragents.evaluation.judge_facts import JudgeFacts
from staragents.evaluation.pair_measures import PairMeasures
from staragents.evaluation.power import power_of
from staragents.evaluation.references import references_of
from tests.support.student_worlds import (
    ARMS,
    PAIRS,
    WRITERS,
    arms_named,
    evaluated,
    measured_pairs,
    students,
)


def test_planted_differences_are_found_and_equal_arms_are_not_told_apart() -> None:
    found = evaluated(students(ARMS, conversations=120))
    better, worse = (found.difference(name, "seeds") for name in ("dataset", "shuffled"))
    assert better is not None
    assert worse is not None
    assert better.estimate is not None
    assert worse.estimate is not None
    assert better.estimate.high < 0
    assert worse.estimate.low > 0
    equal = found.difference("random", "seeds")
    assert equal is not None
    assert equal.estimate is not None
    assert not equal.estimate.told
    assert found.references == ["seeds", "random"]
    assert found.difference("seeds", "seeds") is None
    assert found.held_out.conversations == 120
    assert found.power.measured
    assert found.power.arms == arms_named(list(ARMS)).compared == 3


def test_losses_pool_tokens_of_writers_and_weigh_conversations_equally() -> None:
    losses = {
        "a": {"x": Loss(1.0, 10, 0), "y": Loss(2.0, 30, 0)},
        "b": {"x": Loss(4.0, 1000, 0)},
    }
    found = evaluated([CellResult(Cell("seeds", 0), losses, 10, 1, 1, 1.0, 1.0)])
    (row,) = found.arms
    assert row.loss is not None
    assert row.loss.mean == pytest.approx((1.75 + 4.0) / 2)
    assert row.writers["x"] is not None
    assert row.writers["x"].mean == pytest.approx(2.5)
    assert row.writers["y"] is None  # one conversation and one training seed have no interval
    assert found.differences == []


def test_repeated_prompts_make_no_interval_narrower() -> None:
    results = students(ARMS, conversations=50)

    def repeated(one: CellResult) -> CellResult:
        losses = {f"{name} {n}": by for n in range(4) for name, by in one.losses.items()}
        return dataclasses.replace(one, losses=losses)

    prompts = {f"c{number} {n}": f"c{number}" for number in range(50) for n in range(4)}
    plain = evaluated(results)
    again = evaluated([repeated(one) for one in results], prompts=prompts)
    assert again.held_out.conversations == 50
    for one, other in zip(again.differences, plain.differences, strict=True):
        assert dataclasses.replace(one, estimate=other.estimate) == other
        assert one.estimate is not None
        assert other.estimate is not None
        assert dataclasses.astuple(one.estimate) == pytest.approx(
            dataclasses.astuple(other.estimate), abs=2e-6
        )
    assert again.power == plain.power


def test_each_writer_is_reported_and_the_untrained_student_apart() -> None:
    found = evaluated(students(ARMS))
    assert found.untrained is not None
    assert found.untrained.loss is not None
    assert found.untrained.trained_tokens == 0
    assert BASE not in [row.name for row in found.arms]
    for row in found.arms:
        assert set(row.writers) == set(WRITERS)
        assert row.loss is not None
        assert row.loss.mean < found.untrained.loss.mean
    assert len(found.compared("random", "loss", "beta")) == 3


def test_a_writer_of_one_answer_has_no_interval_and_one_of_few_is_named() -> None:
    def with_beta_in(few: int) -> Evaluation:
        def only(one: CellResult) -> CellResult:
            kept = {
                name: {of: loss for of, loss in by.items() if of == "alpha" or int(name[1:]) < few}
                for name, by in one.losses.items()
            }
            return dataclasses.replace(one, losses=kept)

        return evaluated([only(one) for one in students(ARMS, conversations=100)])

    single = with_beta_in(1)
    for of, known in (("alpha", True), ("beta", False)):
        one = single.difference("random", "seeds", "loss", of)
        assert one is not None
        assert (one.estimate is not None) is known
    (note,) = single.warnings
    assert note.startswith("few conversations of a writer (beta 1): ")
    assert "(beta 12)" in with_beta_in(12).warnings[0]
    assert with_beta_in(30).warnings == []


def test_scores_without_variation_have_no_interval_and_are_no_proof() -> None:
    scores = {BASE: 0.25, "seeds": 0.5, "random": 0.55}
    results = [
        dataclasses.replace(one, scores={"arc": scores[one.cell.arm]})
        for one in students({"seeds": 0.0, "random": 0.0}, training_seeds=2)
    ]
    found = evaluated(results)
    one = found.difference("random", "seeds", "score", "arc")
    assert one is not None
    assert one.estimate is None
    assert [row.scores["arc"] for row in found.arms] == [Estimate(*[x] * 3) for x in (0.5, 0.55)]


def test_wins_and_scores_are_compared_like_losses() -> None:
    rng = np.random.default_rng(0)

    def with_more(one: CellResult) -> CellResult:
        if one.cell.arm == BASE:
            return one
        bonus = 0.2 if one.cell.arm == "dataset" else 0.0
        wins = {f"c{number}": float(rng.uniform(0.3, 0.7) + bonus) for number in range(40)}
        return dataclasses.replace(one, wins=wins, scores={"ifeval": bonus + float(rng.normal(0.3, 0.01))})

    found = evaluated([with_more(one) for one in students(ARMS)])
    for measure, of in (("wins", ""), ("score", "ifeval")):
        better, equal = (found.difference(name, "seeds", measure, of) for name in ("dataset", "random"))
        assert better is not None
        assert equal is not None
        assert better.estimate is not None
        assert equal.estimate is not None
        assert better.estimate.mean == pytest.approx(0.2, abs=0.05)
        assert better.estimate.low > 0
        assert not equal.estimate.told
    assert found.arms[0].scores["ifeval"] is not None
    assert found.arms[0].wins is not None


@pytest.mark.parametrize(
    ("without", "notes"),
    [
        ({}, []),
        (
            {Cell("random", 2): 40},
            ["wins count training seeds 0, 1 only: the others lack verdicts on some arm"],
        ),
        (
            {Cell("random", seed): 40 for seed in range(3)},
            ["no wins of random: there is no verdict on these students"],
        ),
        (
            {Cell("random", 2): 3},
            ["3 of 40 prompts lack the verdict on some student that counts and are left out"],
        ),
        (
            {Cell("random", 0): 40, Cell("seeds", 1): 40, Cell("dataset", 2): 40},
            ["wins are not compared: no training seed has verdicts on every arm"],
        ),
    ],
)
def test_what_a_judge_that_failed_leaves_out_is_counted(without: dict[Cell, int], notes: list[str]) -> None:
    rng = np.random.default_rng(0)
    results = [
        one
        if one.cell.arm == BASE
        else dataclasses.replace(
            one, wins={f"c{n}": float(rng.uniform()) for n in range(without.get(one.cell, 0), 40)}
        )
        for one in students(ARMS)
    ]
    judge = JudgeFacts("a/judge", False, prompts=40, answer_tokens=9, comparisons=480, unreadable=0)
    assert evaluated(results, judge=judge).warnings == notes


def test_the_score_of_a_single_student_is_shown_without_an_interval() -> None:
    effects = {"seeds": 0.0, "random": 0.0}
    scores = {BASE: 0.25, "seeds": 0.5, "random": 0.75}
    results = [
        dataclasses.replace(one, scores={"arc": scores[one.cell.arm]})
        for one in students(effects, training_seeds=1)
    ]
    found = evaluated(results)
    assert found.untrained is not None
    for row in (found.untrained, *found.arms):
        assert row.scores["arc"] == Estimate(*[scores[row.name]] * 3)
    one = found.difference("random", "seeds", "score", "arc")
    assert one is not None
    assert one.estimate is None
    assert found.tasks == ["arc"]


def test_doubts_are_written_down() -> None:
    results = students({"dataset": 0.0, "seeds": 0.0}, training_seeds=1, conversations=12)
    results[1] = dataclasses.replace(results[1], trained_tokens=20_000)
    warnings = "\n".join(evaluated(results, arms_named(["dataset", "seeds"], filled=30)).warnings)
    for part in (
        "one training seed",
        "12 held-out",
        "30 of the 40 rows",
        "unequal training",
        "without the arm",
    ):
        assert part in warnings
    assert "few students" not in warnings
    two = students({"seeds": 0.0, "random": 0.0}, training_seeds=2)
    assert [warning.partition(":")[0] for warning in evaluated(two).warnings] == ["few students"]
    assert evaluated(students(ARMS)).warnings == []


def test_arms_of_pairs_do_not_make_the_students_of_other_arms_many() -> None:
    def few_students(names: list[str], training_seeds: int) -> list[str]:
        pairs = {name: PairMeasures() for name in names if name.startswith("pair:")}
        arms = dataclasses.replace(arms_named(names), pairs=pairs)
        found = evaluated(students(dict.fromkeys(names, 0.0), training_seeds), arms)
        return [one.partition(":")[0] for one in found.warnings if one.startswith("few students")]

    pairs = [f"pair:p{number}" for number in range(4)]
    assert few_students(["seeds", "dataset", *pairs], 2) == ["few students"]
    assert few_students(["seeds", "dataset", "random", "mine", *pairs[:1]], 2) == ["few students of pairs"]
    assert few_students(["seeds", "dataset", "random", "mine", *pairs], 2) == []


def test_an_arm_with_the_rows_of_another_adds_no_evidence() -> None:
    names = ["dataset", "random", "random-length", "judge", "seeds", "mine"]
    effects = {name: 0.0 for name in ("dataset", "random", "seeds")}
    results = students(effects, training_seeds=2, between_seeds=0.02)
    plain = evaluated(results)
    same = {"random-length": "random", "judge": "random", "mine": "seeds"}
    arms = dataclasses.replace(arms_named(names), same=same)
    found = evaluated(results, arms)
    assert [row.name for row in found.arms] == names
    assert found.arms[3] == dataclasses.replace(found.arms[1], name="judge")

    def estimate(of: Evaluation, arm: str, reference: str) -> Estimate | None:
        one = of.difference(arm, reference)
        assert one is not None
        return one.estimate

    assert estimate(found, "dataset", "random") == estimate(plain, "dataset", "random")
    assert estimate(found, "dataset", "random-length") == estimate(plain, "dataset", "random")
    assert estimate(found, "judge", "seeds") == estimate(plain, "random", "seeds")
    nothing = Estimate(0.0, 0.0, 0.0)
    assert estimate(found, "judge", "random") == estimate(found, "mine", "seeds") == nothing
    assert found.power == plain.power
    assert arms.compared == found.power.arms == 2
    few = [one for one in plain.warnings if one.startswith("few students")]
    assert few
    assert [one for one in found.warnings if one.startswith("few students")] == few


def test_an_arm_with_the_rows_of_an_earlier_pair_counts_among_the_arms_that_are_no_pairs() -> None:
    names = ["pair:p0", "seeds", "dataset", "base"]
    arms = dataclasses.replace(arms_named(names), pairs={"pair:p0": PairMeasures()}, same={"base": "pair:p0"})
    found = evaluated(students(dict.fromkeys(names[:3], 0.0)), arms)
    assert arms.compared == found.power.arms == 2


def test_references_are_seeds_and_random_choices_of_one_run_or_the_first() -> None:
    assert references_of(["dataset", "random", "seeds"]) == ["seeds", "random"]
    assert references_of(["dataset", "random-length"]) == ["random-length"]
    several = [
        "a:dataset",
        "b:dataset",
        "seeds",
        "a:random",
        "b:random",
        "a:random-length",
        "b:random-length",
    ]
    assert references_of(several) == ["seeds", "a:random", "a:random-length", "a:dataset"]
    assert references_of(["mine", "other"]) == ["mine"]


def test_a_gain_is_told_from_one_of_length_alone() -> None:
    effects = {"dataset": -0.2, "seeds": 0.0, "random": 0.0, "random-length": -0.1}
    found = evaluated(students(effects, conversations=120))
    assert found.references == ["seeds", "random", "random-length"]
    one = found.difference("dataset", "random-length")
    assert one is not None
    assert one.estimate is not None
    assert one.estimate.mean == pytest.approx(-0.1, abs=0.03)
    assert one.estimate.told


@pytest.mark.parametrize(
    ("names", "compared"),
    [
        (["pair:p0", "pair:p1"], 1),
        (["pair:p0", "pair:p1", "pair:p2"], 2),
        (["seeds", "pair:p0", "pair:p1"], 2),
        (["pair:p0", "mine"], 1),
        (["seeds", "dataset", "random", "pair:p0"], 2),
        (["seeds"], 1),
    ],
)
def test_the_power_before_training_counts_the_arms_of_the_result(names: list[str], compared: int) -> None:
    pairs = {name: PairMeasures() for name in names if name.startswith("pair:")}
    arms = dataclasses.replace(arms_named(names), pairs=pairs)
    assert arms.compared == compared
    assert evaluated(students(dict.fromkeys(names, 0.0)), arms).power.arms == compared
    assert power_of(60, 3, arms.compared).difference is not None


def test_the_result_survives_json() -> None:
    arms = dataclasses.replace(arms_named(["seeds", *PAIRS]), pairs=measured_pairs(range(8)))
    found = evaluated(students({"seeds": 0.0, **dict.fromkeys(PAIRS, 0.0)}), arms)
    judge = JudgeFacts("a/judge", False, prompts=50, answer_tokens=256, comparisons=100, unreadable=1)
    for one in (found, dataclasses.replace(found, judge=judge)):
        assert Evaluation.from_dict(json.loads(json.dumps(one.as_dict(), allow_nan=False))) == one
    saved = found.as_dict()
    for later in ("judge", "results"):  # written by an earlier version
        del saved[later]
    saved["identity"] = "x"
    assert Evaluation.from_dict(saved) == found
