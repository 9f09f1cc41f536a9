"""Whether what a run measured about its pairs predicts the gains of simulated students."""

from __future__ import annotations

import dataclasses
from itertools import permutations
from math import factorial

import numpy as np
import pytest

from staragents.base.statistics import Mean
from staragents.evaluation.by_pair import MIN_PAIRS, ByPair, by_chance, correlation, spearman
from staragents.evaluation.pair_measures import PairMeasures
from tests.support.student_worlds import PAIRS, arms_named, evaluated, measured_pairs, students


def test_a_reward_that_predicts_gains_is_told_from_one_that_does_not() -> None:
    gains = [0.02 * number for number in range(8)]
    results = students({"seeds": 0.0, **{name: -gain for name, gain in zip(PAIRS, gains, strict=True)}})
    arms = dataclasses.replace(arms_named(["seeds", *PAIRS]), pairs=measured_pairs(gains))
    assert arms.compared == len(PAIRS) == evaluated(results, arms).power.arms
    found = evaluated(results, arms).by_pair
    assert found is not None
    assert [one.pair for one in found.pairs] == [name.removeprefix("pair:") for name in PAIRS]
    reward, gap, win = (found.correlations[name] for name in ("reward", "ifd_gap", "judge_win"))
    assert reward is not None
    assert gap is not None
    assert win is None
    assert reward.low > 0
    assert gap.high < 0
    assert "it predicts training" in found.sentences()[0]
    assert "predicts the opposite" in found.sentences()[1]
    assert "no correlation" in found.sentences()[2]
    none = students({"seeds": 0.0, **dict.fromkeys(PAIRS, 0.0)})
    chance = evaluated(none, arms).by_pair
    assert chance is not None
    assert chance.correlations["reward"] is not None
    assert not chance.correlations["reward"].told
    assert ByPair.from_dict(dataclasses.asdict(found)) == found


def test_a_correlation_counts_the_pairs_that_have_the_measure() -> None:
    gains = [0.02 * number for number in range(8)]
    measures = measured_pairs(gains)
    measures["pair:p3"] = dataclasses.replace(measures["pair:p3"], ifd_gap=Mean())
    results = students({"seeds": 0.0, **{name: -gain for name, gain in zip(PAIRS, gains, strict=True)}})
    found = evaluated(results, dataclasses.replace(arms_named(["seeds", *PAIRS]), pairs=measures)).by_pair
    assert found is not None
    assert "over 8 pairs" in found.sentences()[0]
    assert "over 7 pairs" in found.sentences()[1]


def test_pairs_with_the_same_students_count_once_in_a_correlation() -> None:
    gains = [0.02 * number for number in range(4)]
    pairs = [f"{run}:pair:p{number}" for run in "AB" for number in range(4)]
    measures = {
        name: PairMeasures(30, Mean(1, gain, 0.0)) for name, gain in zip(pairs, gains * 2, strict=True)
    }
    same = {name: name.replace("B:", "A:") for name in pairs[4:]}
    results = students(
        {"seeds": 0.0, "base": -gains[0], **dict(zip(pairs, [-one for one in gains], strict=False))}
    )
    results = [one for one in results if one.cell.arm != "A:pair:p0"]
    # The rows of the first pairs are those of an arm that is no pair's.
    same |= {"A:pair:p0": "base", "B:pair:p0": "base"}
    arms = dataclasses.replace(arms_named(["seeds", "base", *pairs]), pairs=measures, same=same)
    found = evaluated(results, arms).by_pair
    assert found is not None
    assert [one.arm for one in found.pairs] == pairs[:4]
    assert found.correlations["reward"] is None  # four pairs are too few


def test_rank_correlation_agrees_with_scipy_and_needs_variation() -> None:
    from scipy.stats import spearmanr

    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 5, 30).astype(float), rng.normal(size=30)
    assert spearman(x, y) == pytest.approx(spearmanr(x, y).statistic)
    assert np.isnan(spearman(np.ones(3), y[:3]))
    assert correlation([1.0] * MIN_PAIRS, rng.normal(size=(MIN_PAIRS, 2, 9))) is None
    few = list(np.arange(MIN_PAIRS - 1.0))
    assert correlation(few, rng.normal(size=(len(few), 2, 9))) is None


def test_chance_orders_few_pairs_by_reward_in_at_most_five_percent() -> None:
    rewards = np.arange(float(MIN_PAIRS))
    orders = permutations(rewards.tolist())
    told = [order for order in orders if by_chance(rewards, np.array(order)) < 0.05]
    assert 0.02 <= len(told) / factorial(MIN_PAIRS) <= 0.05
    gains = rewards[:, None, None] + np.random.default_rng(0).normal(0, 1e-3, (MIN_PAIRS, 2, 9))
    in_order = correlation(rewards.tolist(), gains)
    assert in_order is not None
    assert in_order.low > 0.5
    # One pair differs in its reward, so every resample with a correlation has that of this pair.
    one_differs = correlation([0.0] * (MIN_PAIRS - 1) + [1.0], gains)
    assert one_differs is not None
    assert one_differs.mean == pytest.approx(0.655, abs=1e-3)
    assert one_differs.low == 0
