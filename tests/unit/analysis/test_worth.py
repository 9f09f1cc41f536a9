"""What other choices would have earned: estimates from planted worlds, in which the truth is known."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from staragents.analysis import advised_choice
from staragents.analysis.reward_model import Log, expected_rewards
from staragents.analysis.worth import MIN_SEEDS, Drawn, Worth, worth_of
from staragents.base.estimate import Estimate
from staragents.config import EvolutionConfig, PolicyName
from staragents.evolution.choice import make_policy
from staragents.evolution.policy import NO_CONTEXT, Outcome

PAIRS = [f"{name}+x" for name in "abcdef"]
# Two kinds, each with a pair of its own that is best there; a+x and b+x are bad everywhere.
MEANS = np.array([[0.2, 0.2, 0.4, 0.5, 0.8, 0.3], [0.2, 0.2, 0.4, 0.5, 0.3, 0.8]])
SAME = np.array([[0.2, 0.25, 0.3, 0.35, 0.4, 0.6]] * 2)


def run(means: np.ndarray, policy: PolicyName, seeds: int, number: int) -> tuple[list[Drawn], float]:
    """The draws of a run, and the true mean reward of uniform draws on its seeds."""
    rng = np.random.default_rng(number)
    drawing = make_policy(EvolutionConfig(policy=policy), PAIRS, seeds)
    found = []
    for seed in range(seeds):
        kind = int(rng.integers(len(means)))
        inclusion = drawing.inclusion(2, 1000 * number + seed, NO_CONTEXT)
        outcomes = [
            Outcome(
                one.pair,
                float(np.clip(means[kind, PAIRS.index(one.pair)] + rng.normal(0, 0.15), 0, 1)),
                False,
                one.propensity,
            )
            for one in drawing.draw(2, 1000 * number + seed, NO_CONTEXT)
        ]
        drawing.observe(outcomes, NO_CONTEXT)
        rewards = {PAIRS.index(one.pair): one.reward for one in outcomes}
        found.append(Drawn(kind, [inclusion[pair] for pair in PAIRS], rewards))
    return found, float(np.mean([means[seed.kind].mean() for seed in found]))


def worth(means: np.ndarray, policy: PolicyName, seeds: int, number: int = 0) -> Worth:
    found = worth_of(run(means, policy, seeds, number)[0], PAIRS, ["cooking", "ships"], 2)
    assert found is not None
    return found


def test_a_run_that_learnt_is_told_from_uniform_draws() -> None:
    """Not every single run: what pairs would have earned that it soon gave up rests on few draws."""
    learnt = [worth(SAME, PolicyName.thompson, 150, number) for number in range(8)]
    told = [found for found in learnt if found.learning.low > 0]
    assert len(told) >= 5
    assert not any(found.learning.high < 0 for found in learnt)
    assert "Learning paid" in advised_choice.sentences(told[0], 0, 150)[0]
    uniform = worth(SAME, PolicyName.uniform, 300)
    assert not uniform.learning.told
    assert "No measurable effect" in advised_choice.sentences(uniform, 0, 300)[0]


def test_a_better_fixed_choice_is_found_and_advised() -> None:
    found = worth(SAME, PolicyName.uniform, 400)
    assert found.fixed_pairs == ["f+x", "e+x"]
    assert found.fixed is not None
    assert found.fixed.low < 0.5 < found.fixed.high
    (advice,) = advised_choice.findings(found, memory_enabled=True)
    assert "always drawing f+x and e+x" in advice


def test_pairs_that_suit_kinds_are_found() -> None:
    found = worth(MEANS, PolicyName.uniform, 500)
    assert found.kinds_beyond_fixed is not None
    assert found.kinds_beyond_fixed.low > 0
    assert [kind.pair for kind in found.kinds] == ["e+x", "f+x"]
    told = [kind.beyond for kind in found.kinds if kind.beyond is not None]
    # The overall best is the best of one kind; on the other it loses 0.5.
    assert max(one.mean for one in told) == pytest.approx(0.5, abs=0.15)
    assert any("memory.enabled=true" in advice for advice in advised_choice.findings(found, False))
    assert not any("memory" in advice for advice in advised_choice.findings(found, True))


def test_kinds_that_make_no_difference_are_not_praised() -> None:
    praised = 0
    for number in range(10):
        found = worth(SAME, PolicyName.uniform, 200, number).kinds_beyond_fixed
        praised += found is not None and found.low > 0
    assert praised <= 1


@pytest.mark.slow
def test_intervals_hold_the_truth_although_the_run_learnt() -> None:
    """At least 80 % of nominal 95 % intervals: propensities depend on earlier rewards, which they ignore."""
    held = 0
    for number in range(40):
        seeds, truth = run(SAME, PolicyName.thompson, 200, number)
        found = worth_of(seeds, PAIRS, ["cooking", "ships"], 2)
        assert found is not None
        held += found.uniform.low <= truth <= found.uniform.high
    assert held >= 32


def test_kinds_whose_choice_was_hardly_drawn_later_are_not_valued() -> None:
    """On ships, f is best in the first half and not drawn in the second; the fixed choice remains there."""
    means = [[0.7, 0.5, 0.2], [0.7, 0.5, 0.9]]
    rng = np.random.default_rng(0)
    seeds = []
    for number in range(400):
        kind, early = number % 2, number < 200
        drawn = int(rng.integers(3 if early else 2))
        inclusion = [1 / 3] * 3 if early else [0.4995, 0.4995, 0.001]
        seeds.append(Drawn(kind, inclusion, {drawn: means[kind][drawn] + rng.uniform(-0.1, 0.1)}))
    found = worth_of(seeds, ["a+x", "b+x", "f+x"], ["cooking", "ships"], 1)
    assert found is not None
    assert [(kind.pair, kind.beyond is None) for kind in found.kinds] == [("a+x", False), ("f+x", True)]
    assert found.fixed_pairs == ["a+x"]
    assert found.kinds_beyond_fixed == Estimate(0.0, 0.0, 0.0)
    assert "no kind has another choice" in advised_choice.sentences(found, 0, 400)[2]


def test_too_few_seeds_or_pairs_say_so() -> None:
    seeds, _ = run(SAME, PolicyName.uniform, MIN_SEEDS - 1, 0)
    assert worth_of(seeds, PAIRS, ["cooking", "ships"], 2) is None
    assert "at least 40 seeds" in advised_choice.sentences(None, 0, 39)[0]
    assert "another version" in advised_choice.sentences(None, 30, 39)[0]
    assert list(advised_choice.findings(None, True)) == []


def test_a_run_that_drew_all_pairs_is_still_judged() -> None:
    rng = np.random.default_rng(0)
    seeds = [Drawn(0, [1.0, 1.0], {0: rng.uniform(0, 0.4), 1: rng.uniform(0.5, 0.9)}) for _ in range(60)]
    found = worth_of(seeds, ["a+x", "b+x"], ["all"], 2)
    assert found is not None
    assert found.draws == 1
    assert found.learning.mean == 0.0
    assert found.fixed_pairs == ["b+x"]
    assert "of one kind" in advised_choice.sentences(found, 0, 60)[2]


def test_an_interval_is_symmetric_and_excludes_0_when_told() -> None:
    found = Estimate.of(np.array([0.0, 1.0, 2.0, 5.0]))  # 2 +- 1.96 x 2.16 / 2
    assert (found.mean, found.low, found.high) == pytest.approx((2.0, -0.117, 4.117), abs=1e-4)
    assert found.half_width == pytest.approx(2.117, abs=1e-4)
    assert not found.told
    assert Estimate.of(np.array([1.0, 1.5])).told
    assert not Estimate.of(np.array([-0.8, -0.2])).told  # -0.5 +- 0.588
    assert Estimate.of(np.array([-0.6, -0.5])).told
    assert Estimate.of(np.full(5, 0.5)) == Estimate(0.5, 0.5, 0.5)
    assert (one := Estimate.of(np.array([0.5]))).low == -np.inf
    assert not one.told


@given(st.integers(1, 60), st.integers(0, 2**16))
def test_expected_rewards_stay_in_range(rows: int, number: int) -> None:
    rng = np.random.default_rng(number)
    log = Log(
        np.arange(rows),
        rng.integers(3, size=rows),
        rng.integers(4, size=rows),
        rng.random(rows),
        np.ones(rows),
    )
    model = expected_rewards(log, 3, 4)
    assert model.shape == (3, 4)
    assert ((model >= 0) & (model <= 1)).all()


def test_without_effects_pairs_and_cells_shrink_together() -> None:
    rng = np.random.default_rng(0)
    rows = 400
    log = Log(
        np.arange(rows),
        rng.integers(2, size=rows),
        rng.integers(6, size=rows),
        rng.random(rows),
        np.ones(rows),
    )
    raw = [log.reward[(log.kind == 0) & (log.pair == pair)].mean() for pair in range(6)]
    assert np.ptp(expected_rewards(log, 2, 6)[0]) < 0.5 * np.ptp(raw)


def test_a_pair_that_could_not_be_drawn_on_a_kind_has_a_value_there_too() -> None:
    """b+x is best, and retired before the first seed about ships."""
    rng = np.random.default_rng(0)
    seeds = []
    for number in range(120):
        early = number < 90
        drawn = int(rng.integers(3)) if early else 2 * int(rng.integers(2))
        inclusion = [1 / 3] * 3 if early else [0.5, 0.0, 0.5]
        reward = (0.3, 0.8, 0.4)[drawn] + rng.uniform(-0.1, 0.1)
        seeds.append(Drawn(int(not early), inclusion, {drawn: reward}))
    found = worth_of(seeds, ["a+x", "b+x", "c+x"], ["cooking", "ships"], 1)
    assert found is not None
    assert found.fixed_pairs == ["b+x"]
    assert found.fixed is not None
    assert found.fixed.mean == pytest.approx(0.8, abs=0.05)
    json.dumps(found.as_dict(), allow_nan=False)
