"""Properties of all policies."""

from __future__ import annotations

import json
import math
from statistics import mean
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from staragents.base.errors import BadInput
from staragents.config import Credit, PolicyName
from staragents.evolution.paper import PaperPolicy
from staragents.evolution.policy import NO_CONTEXT, Outcome, RecalledOutcomes
from staragents.evolution.tally import Tally
from staragents.evolution.thompson import ThompsonPolicy
from staragents.evolution.uniform import UniformPolicy
from tests.support.policies import (
    LEARNING,
    NAMES,
    fresh,
    histories,
    joined,
    kinds_run,
    pairs_of,
    recollections,
    seed_of,
    settings_of_policies,
)


def suits_b() -> RecalledOutcomes:
    """Of `kinds_run`, mildly: Thompson's second pair is then a or c."""
    return joined(*(seed_of(f"s{number}", 0.5, {"a": 0.42, "b": 0.58}) for number in range(20)))


def trained(name: PolicyName) -> Any:
    """Half its run is over and it explores much, so that draws are not nearly certain."""
    policy = fresh(name, list("abcd"), total=600, exploration=1.0)
    kinds_run(policy, useful=True, seeds=300)
    return policy


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60, deadline=None)
@given(
    history=histories(),
    recalled=recollections,
    count=st.integers(1, 7),
    seed=st.integers(0, 2**31 - 1),
    more=settings_of_policies,
)
def test_draws_are_distinct_of_the_right_size_and_logged_with_inclusion_probabilities(
    name, history, recalled, count, seed, more
) -> None:
    policy = fresh(name, pairs_of(5), **more)
    for outcomes in history:
        policy.observe(outcomes)
    context = policy.context(recalled)
    inclusion = policy.inclusion(count, seed, context)
    drawn = policy.draw(count, seed, context)
    assert len(drawn) == len({one.pair for one in drawn}) == min(count, 5)
    assert all(one.propensity == inclusion[one.pair] for one in drawn)
    assert sum(inclusion.values()) == pytest.approx(min(count, 5), abs=1e-9)
    assert all(0 < value <= 1 for value in inclusion.values())
    assert drawn == policy.draw(count, seed, context)


@pytest.mark.parametrize("name", LEARNING)
def test_logged_propensities_are_exact_where_memory_moves_the_draw(name: PolicyName) -> None:
    policy = trained(name)
    context = policy.context(suits_b())
    assert policy._context.shift(context) is not None
    inclusion = policy.inclusion(2, 0, context)
    assert inclusion["a"] < policy.inclusion(2, 0, NO_CONTEXT)["a"] - 0.1
    assert sum(inclusion.values()) == pytest.approx(2, abs=1e-9)
    counts = dict.fromkeys("abcd", 0)
    for seed in range(2000):
        for one in policy.draw(2, seed, context):
            assert one.propensity == inclusion[one.pair]
            counts[one.pair] += 1
    for pair, propensity in inclusion.items():
        error = 4 * (propensity * (1 - propensity) / 2000) ** 0.5
        assert counts[pair] / 2000 == pytest.approx(propensity, abs=error + 1e-3)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=30, deadline=None)
@given(history=histories(), more=settings_of_policies)
def test_standings_are_a_distribution_with_intervals_around_the_means(name, history, more) -> None:
    policy = fresh(name, pairs_of(5), **more)
    for outcomes in history:
        policy.observe(outcomes)
    pair_stats = policy.pair_stats()
    assert [one.pair for one in pair_stats] == pairs_of(5)
    assert sum(one.probability for one in pair_stats) == pytest.approx(1)
    for one in pair_stats:
        rewards = [o.reward for outcomes in history for o in outcomes if o.pair == one.pair]
        assert one.observations == len(rewards)
        if rewards:
            assert one.mean_reward == pytest.approx(mean(rewards))
            assert 0 <= one.low <= one.mean_reward <= one.high <= 1
        else:
            assert (one.mean_reward, one.low, one.high) == (0.5, 0, 1)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=30, deadline=None)
@given(before=histories(), after=histories(), seed=st.integers(0, 2**31 - 1))
def test_a_restored_policy_continues_identically(name, before, after, seed) -> None:
    policy = fresh(name, pairs_of(5))
    for outcomes in before:
        policy.observe(outcomes)
    restored = fresh(name, pairs_of(5))
    restored.restore(json.loads(json.dumps(policy.state())))
    for outcomes in after:
        policy.observe(outcomes)
        restored.observe(outcomes)
    assert restored.draw(2, seed, NO_CONTEXT) == policy.draw(2, seed, NO_CONTEXT)
    assert restored.state() == policy.state()


@pytest.mark.parametrize("name", [n for n in NAMES if n not in (PolicyName.paper, PolicyName.additive)])
@settings(max_examples=30, deadline=None)
@given(one=histories(), other=histories(), credit=st.sampled_from(Credit))
def test_two_shards_merged_equal_one_run_on_both(name, one, other, credit) -> None:
    whole, shard, rest = (fresh(name, pairs_of(5), credit=credit) for _ in range(3))
    for outcomes in one:
        whole.observe(outcomes)
        shard.observe(outcomes)
    for outcomes in other:
        whole.observe(outcomes)
        rest.observe(outcomes)
    shard.merge(rest.state())
    assert shard.state() == whole.state()
    assert shard.draw(2, 7, NO_CONTEXT) == whole.draw(2, 7, NO_CONTEXT)


def test_a_state_of_other_pairs_is_refused() -> None:
    policy = UniformPolicy(["a", "b"])
    with pytest.raises(BadInput, match=r"agents.pairs: expected the saved \['a', 'c'\], got \['a', 'b'\]"):
        policy.restore(UniformPolicy(["a", "c"]).state())


def test_thompsons_propensities_are_near_those_of_the_largest_posterior_samples() -> None:
    policy = ThompsonPolicy(list("abcd"), floor=0.0)
    rng = np.random.default_rng(0)
    for pair, centre in {"a": 0.6, "b": 0.55, "c": 0.3}.items():
        for _ in range(30):
            policy.observe([Outcome(pair, float(rng.beta(4 * centre, 4 - 4 * centre)), False)])
    inclusion = policy.inclusion(2, 0, NO_CONTEXT)
    counts = dict.fromkeys("abcd", 0)
    for seed in range(2000):
        for one in policy.draw(2, seed, NO_CONTEXT):
            counts[one.pair] += 1
    mean, sd = map(np.array, policy.state()["posterior"])
    spread = 0.42 * sd  # the length of the run is unknown
    samples = np.random.default_rng(0).normal(mean + 2.0 * spread, spread, size=(100_000, 4))
    largest = np.argsort(samples, axis=1)[:, 2:]
    for index, pair in enumerate("abcd"):
        error = 4 * (inclusion[pair] * (1 - inclusion[pair]) / 2000) ** 0.5
        assert counts[pair] / 2000 == pytest.approx(inclusion[pair], abs=error + 1e-3)
        assert inclusion[pair] == pytest.approx((largest == index).any(axis=1).mean(), abs=0.08)


@pytest.mark.parametrize("name", NAMES)
def test_an_unavailable_pair_is_not_drawn_and_keeps_its_statistics(name: PolicyName) -> None:
    policy = fresh(name, pairs_of(5))
    for _ in range(10):
        policy.observe([Outcome("i0+r", 0.9, True), Outcome("i1+r", 0.1, False)])
    before = policy.inclusion(2, 1, NO_CONTEXT)
    available = policy.inclusion(2, 1, NO_CONTEXT, without={"i0+r"})
    assert "i0+r" not in available
    assert sum(available.values()) == pytest.approx(2)
    assert all(one.pair != "i0+r" for one in policy.draw(4, 1, NO_CONTEXT, without={"i0+r"}))
    assert policy.inclusion(2, 1, NO_CONTEXT) == before


@pytest.mark.parametrize("name", NAMES)
def test_a_pair_added_later_starts_unknown_and_the_others_keep_their_statistics(name: PolicyName) -> None:
    policy = fresh(name, pairs_of(3))
    for _ in range(10):
        policy.observe([Outcome("i0+r", 0.9, True), Outcome("i1+r", 0.1, False)])
    larger = fresh(name, pairs_of(4))
    larger.restore(json.loads(json.dumps(policy.state())))
    assert [one.observations for one in larger.pair_stats()] == [10, 10, 0, 0]
    assert sum(larger.inclusion(2, 1, NO_CONTEXT).values()) == pytest.approx(2)
    assert larger.inclusion(2, 1, NO_CONTEXT)["i3+r"] > 0


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("reward", [-0.1, 1.1, math.nan, math.inf])
def test_a_reward_outside_its_range_is_refused_and_nothing_is_learnt(name: PolicyName, reward: float) -> None:
    policy = fresh(name, pairs_of(3))
    before = policy.state()
    with pytest.raises(BadInput, match=r"reward of i1\+r: expected 0 to 1, got"):
        policy.observe([Outcome("i0+r", 0.5, True), Outcome("i1+r", reward, False)])
    assert policy.state() == before


@pytest.mark.parametrize("name", NAMES)
def test_a_pair_never_defined_is_refused(name: PolicyName) -> None:
    with pytest.raises(BadInput, match=r"pair: expected one of i0\+r, i1\+r, got 'else'"):
        fresh(name, pairs_of(2)).observe([Outcome("else", 0.5, True)])


@pytest.mark.parametrize("name", [n for n in NAMES if n not in (PolicyName.paper, PolicyName.additive)])
@settings(max_examples=30, deadline=None)
@given(history=histories(), order=st.randoms(use_true_random=False))
def test_what_is_learnt_does_not_depend_on_the_order_results_arrive_in(name, history, order) -> None:
    shuffled = list(history)
    order.shuffle(shuffled)
    one, other = (fresh(name, pairs_of(5)) for _ in range(2))
    for outcomes in history:
        one.observe(outcomes)
    for outcomes in shuffled:
        other.observe(outcomes)
    assert one.state() == other.state()
    assert one.draw(2, 3, NO_CONTEXT) == other.draw(2, 3, NO_CONTEXT)


@pytest.mark.slow
def test_the_state_of_fifty_by_fifty_pairs_stays_below_a_megabyte() -> None:
    factors = {
        f"rewriter-{j}+responder-{k}": (f"rewriter-{j}", f"responder-{k}")
        for j in range(50)
        for k in range(50)
    }
    policy = ThompsonPolicy(list(factors), factors=factors)
    rng = np.random.default_rng(0)
    for rewriter in range(50):  # a seed each
        pairs = [f"rewriter-{rewriter}+responder-{responder}" for responder in range(50)]
        policy.observe([Outcome(pair, float(rng.random()), False) for pair in pairs])
    assert len(json.dumps(policy.state())) < 1_000_000


@pytest.mark.parametrize("name", LEARNING)
def test_recalled_neighbours_are_forgotten_after_the_draw(name: PolicyName) -> None:
    policy = trained(name)
    before, without = policy.state(), policy.inclusion(2, 1, NO_CONTEXT)
    context = policy.context(suits_b())
    assert context.readings
    assert policy._context.shift(context) is not None
    policy.draw(2, 1, context)
    assert policy.state() == before
    assert policy.inclusion(2, 1, NO_CONTEXT) == without


def test_the_floor_is_a_lower_bound_for_a_hopeless_pair() -> None:
    for policy in (
        ThompsonPolicy(["a", "b", "c"], floor=0.3),
        PaperPolicy(["a", "b", "c"], beta=5.0, floor=0.3),
    ):
        for _ in range(200):
            policy.observe([Outcome("a", 1.0, True), Outcome("b", 0.0, False)])
        assert policy.inclusion(1, 3, NO_CONTEXT)["b"] == pytest.approx(0.1, abs=0.01)


@pytest.mark.parametrize("number", [10, 40, 100])
@pytest.mark.parametrize("true_mean", [0.05, 0.1, 0.3, 0.5, 0.8])
def test_the_interval_covers_the_true_mean_about_nine_times_out_of_ten(number: int, true_mean: float) -> None:
    coverage = 0.0
    for wins in range(number + 1):
        tally = Tally(["a"])
        for index in range(number):
            tally.add("a", float(index < wins))
        (standing,) = tally.pair_stats({"a": 1.0})
        if standing.low <= true_mean <= standing.high:
            coverage += math.comb(number, wins) * true_mean**wins * (1 - true_mean) ** (number - wins)
    assert 0.87 < coverage < 0.99


def test_the_interval_is_narrow_where_rewards_hardly_vary() -> None:
    tally = Tally(["steady", "wild"])
    for index in range(100):
        tally.add("steady", 0.3)
        tally.add("wild", float(index % 10 < 3))
    steady, wild = tally.pair_stats({"steady": 0.5, "wild": 0.5})
    assert steady.high - steady.low < (wild.high - wild.low) / 4
