"""Properties of all policies, and what each of them learns."""

from __future__ import annotations

import copy
import json
import math
from statistics import mean

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from staragents.base.errors import BadInput
from staragents.config import EvolutionConfig, PolicyName
from staragents.evolution.choice import make_policy
from staragents.evolution.paper import PaperPolicy
from staragents.evolution.policy import Neighbour, Outcome, Policy
from staragents.evolution.tally import Tally
from staragents.evolution.thompson import OPTIMISM, ThompsonPolicy
from staragents.evolution.uniform import UniformPolicy

NAMES = list(PolicyName)


def fresh(name: PolicyName, pairs: list[str], total: int = 50, **more) -> Policy:
    return make_policy(EvolutionConfig(policy=name, **more), pairs, total)


def pairs_of(number: int) -> list[str]:
    return [f"i{index}+r" for index in range(number)]


# Rewards in quarters add up exactly, in any order.
quarters = st.integers(0, 4).map(lambda number: number / 4)


@st.composite
def histories(draw, pairs: int = 5):
    """Outcomes of a few seeds over `pairs_of(pairs)`, with at most one winner each."""
    seeds = []
    for _ in range(draw(st.integers(0, 12))):
        called = draw(st.lists(st.sampled_from(pairs_of(pairs)), unique=True, min_size=1, max_size=3))
        winner = draw(st.sampled_from([None, *called]))
        seeds.append([Outcome(pair, draw(quarters), pair == winner) for pair in called])
    return seeds


recollections = st.lists(
    st.builds(
        Neighbour,
        pair=st.sampled_from([*pairs_of(5), "of+another-run"]),
        reward=quarters,
        similarity=st.floats(-0.2, 1),
    ),
    max_size=8,
)
settings_of_policies = st.fixed_dictionaries(
    {
        "floor": st.sampled_from([0.0, 0.05, 1.0]),
        "credit": st.sampled_from(["all", "winner"]),
        "rate": st.sampled_from([7.0, 100_000.0]),
        "recalled_draws": st.sampled_from([None, 0, 1, 9]),
    }
)


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
    inclusion = policy.inclusion(count, seed, recalled)
    drawn = policy.draw(count, seed, recalled)
    assert len(drawn) == len({one.pair for one in drawn}) == min(count, 5)
    assert all(one.propensity == inclusion[one.pair] for one in drawn)
    assert sum(inclusion.values()) == pytest.approx(min(count, 5), abs=1e-9)
    assert all(0 < value <= 1 for value in inclusion.values())
    assert drawn == policy.draw(count, seed, recalled)


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
    assert restored.draw(2, seed, ()) == policy.draw(2, seed, ())
    assert restored.state() == policy.state()


@pytest.mark.parametrize("name", [n for n in NAMES if n not in (PolicyName.paper, PolicyName.additive)])
@settings(max_examples=30, deadline=None)
@given(one=histories(), other=histories(), credit=st.sampled_from(["all", "winner"]))
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
    assert shard.draw(2, 7, ()) == whole.draw(2, 7, ())


@settings(max_examples=30, deadline=None)
@given(one=histories(), other=histories(), rate=st.sampled_from([7.0, 100_000.0]))
def test_merging_the_papers_policy_adds_increments_whichever_shard_is_first(one, other, rate) -> None:
    shards = [fresh(PolicyName.paper, pairs_of(5), rate=rate) for _ in range(2)]
    for shard, history in zip(shards, (one, other), strict=True):
        for outcomes in history:
            shard.observe(outcomes)
    swapped = copy.deepcopy(shards[1])
    swapped.merge(shards[0].state())
    empty = fresh(PolicyName.paper, pairs_of(5), rate=rate)
    shards[0].merge(empty.state())
    before = shards[0].state()["p"]
    shards[0].merge(shards[1].state())
    merged = shards[0].state()["p"]
    assert merged == pytest.approx(swapped.state()["p"])
    assert sum(merged.values()) == pytest.approx(1)
    if not other:
        assert merged == pytest.approx(before)


def test_shards_of_the_papers_policy_that_favour_different_pairs_average_out() -> None:
    shards = [PaperPolicy(["a", "b", "c"], beta=0.5) for _ in range(2)]
    shards[0].observe([Outcome("a", 1.0, True)])
    shards[1].observe([Outcome("b", 1.0, True)])
    shards[0].merge(shards[1].state())
    # 1/3 + 1/2, 1/3 + 1/2 and 1/3, over their sum of 2.
    assert list(shards[0].state()["p"].values()) == pytest.approx([5 / 12, 5 / 12, 1 / 6])


def test_a_state_of_other_pairs_is_refused() -> None:
    policy = UniformPolicy(["a", "b"])
    with pytest.raises(BadInput, match=r"agents.pairs: expected the saved \['a', 'c'\], got \['a', 'b'\]"):
        policy.restore(UniformPolicy(["a", "c"]).state())


def test_an_unknown_credit_is_refused() -> None:
    with pytest.raises(BadInput, match="expected all or winner, got 'winners'"):
        fresh(PolicyName.paper, ["a"], credit="winners")


def test_equation_eight_by_hand() -> None:
    policy = make_policy(
        EvolutionConfig(policy=PolicyName.paper, rate=7, credit="winner", floor=0), list("abcd"), 70
    )
    policy.observe([Outcome("a", 0.5, True), Outcome("b", 0.9, False)])
    # beta = 7 / 70: (0.25 + 0.1 * 0.5) / 1.05
    assert policy.state()["p"] == pytest.approx(
        {"a": 0.3 / 1.05, "b": 0.25 / 1.05, "c": 0.25 / 1.05, "d": 0.25 / 1.05}
    )


def test_with_credit_for_all_every_evaluated_pair_rises_in_one_step() -> None:
    policy = PaperPolicy(["a", "b"], beta=0.1, credit="all")
    policy.observe([Outcome("a", 1.0, True), Outcome("b", 0.5, False)])
    assert policy.state()["p"] == pytest.approx({"a": 0.6 / 1.15, "b": 0.55 / 1.15})


def neighbours_of(*pairs: str) -> list[Neighbour]:
    return [Neighbour(pair, 0.5, 0.8) for pair in pairs]


@pytest.mark.parametrize(
    ("recalled", "recalled_draws", "from_pool"),
    [
        (("a", "b", "a"), None, 2),  # ceil(3 / 2)
        (("a", "b", "c"), 1, 1),
        (("a",), 2, 1),  # the pool has one pair, the rest provides two
        (("a", "b", "c", "d", "e"), 1, 2),  # the rest has one pair, the pool provides two
        (("a", "b", "c", "d", "e", "f"), 1, 3),
        (("elsewhere",), 2, 0),
    ],
)
def test_the_papers_recall_draws_from_the_neighbours_pairs_first(recalled, recalled_draws, from_pool) -> None:
    policy = PaperPolicy(list("abcdef"), beta=0.5, recalled_draws=recalled_draws)
    policy.observe([Outcome("a", 0.6, True)])
    pool = set(recalled) & set("abcdef")
    inclusion = policy.inclusion(3, 0, neighbours_of(*recalled))
    assert sum(inclusion[pair] for pair in pool) == pytest.approx(from_pool, abs=1e-4)
    counts = dict.fromkeys("abcdef", 0)
    for seed in range(2000):
        drawn = policy.draw(3, seed, neighbours_of(*recalled))
        assert sum(one.pair in pool for one in drawn) == from_pool
        for one in drawn:
            counts[one.pair] += 1
    for pair, expected in inclusion.items():
        error = 4 * (expected * (1 - expected) / 2000) ** 0.5
        assert counts[pair] / 2000 == pytest.approx(expected, abs=error + 1e-3)


def test_thompsons_propensities_are_near_those_of_the_largest_posterior_samples() -> None:
    policy = ThompsonPolicy(list("abcd"), floor=0.0)
    rng = np.random.default_rng(0)
    for pair, centre in {"a": 0.6, "b": 0.55, "c": 0.3}.items():
        for _ in range(30):
            policy.observe([Outcome(pair, float(rng.beta(4 * centre, 4 - 4 * centre)), False)])
    inclusion = policy.inclusion(2, 0, ())
    counts = dict.fromkeys("abcd", 0)
    for seed in range(2000):
        for one in policy.draw(2, seed, ()):
            counts[one.pair] += 1
    mean, sd = map(np.array, policy.state()["posterior"])
    spread = sd * policy._width()
    samples = np.random.default_rng(0).normal(mean + OPTIMISM * spread, spread, size=(100_000, 4))
    largest = np.argsort(samples, axis=1)[:, 2:]
    for index, pair in enumerate("abcd"):
        error = 4 * (inclusion[pair] * (1 - inclusion[pair]) / 2000) ** 0.5
        assert counts[pair] / 2000 == pytest.approx(inclusion[pair], abs=error + 1e-3)
        assert inclusion[pair] == pytest.approx((largest == index).any(axis=1).mean(), abs=0.08)


def two_domains(policy: Policy, seeds: int, useful: bool) -> float:
    """Mean reward where pair a is good on even seeds and b on odd ones, and neighbours are right or wrong."""
    rng = np.random.default_rng(1)
    total = 0.0
    for number in range(seeds):
        domain = number % 2 if useful else int(rng.integers(2))
        recalled = [Neighbour("ab"[domain], 0.8, 0.9), Neighbour("ab"[domain], 0.7, 0.8)]
        good = "ab"[number % 2]
        drawn = [one.pair for one in policy.draw(1, number, recalled)]
        rewards = {pair: (0.8 if pair == good else 0.2) + float(rng.uniform(-0.2, 0.2)) for pair in drawn}
        policy.observe([Outcome(pair, reward, True) for pair, reward in rewards.items()], recalled)
        total += sum(rewards.values())
    return total / seeds


@pytest.mark.parametrize("name", [PolicyName.thompson, PolicyName.ucb])
def test_memory_is_weighted_by_how_well_it_predicted(name: PolicyName) -> None:
    assert two_domains(fresh(name, list("abc"), 400), 400, useful=True) > 0.7
    assert two_domains(fresh(name, list("abc"), 400, memory_weight=0.0), 400, useful=True) < 0.6
    blind = two_domains(fresh(name, list("abc"), 400, memory_weight=0.0), 400, useful=False)
    assert two_domains(fresh(name, list("abc"), 400), 400, useful=False) == pytest.approx(blind, abs=0.03)


def test_the_additive_rule_is_boosted_by_useful_neighbours() -> None:
    plain, boosted = (fresh(PolicyName.additive, list("abc"), 400, memory_weight=w) for w in (0.0, 1.0))
    assert two_domains(boosted, 400, useful=True) > two_domains(plain, 400, useful=True) + 0.05


@pytest.mark.parametrize("name", NAMES)
def test_an_unavailable_pair_is_not_drawn_and_keeps_its_statistics(name: PolicyName) -> None:
    policy = fresh(name, pairs_of(5))
    for _ in range(10):
        policy.observe([Outcome("i0+r", 0.9, True), Outcome("i1+r", 0.1, False)])
    before = policy.inclusion(2, 1, ())
    available = policy.inclusion(2, 1, (), without={"i0+r"})
    assert "i0+r" not in available
    assert sum(available.values()) == pytest.approx(2)
    assert all(one.pair != "i0+r" for one in policy.draw(4, 1, (), without={"i0+r"}))
    assert policy.inclusion(2, 1, ()) == before


@pytest.mark.parametrize("name", NAMES)
def test_a_pair_added_later_starts_unknown_and_the_others_keep_their_statistics(name: PolicyName) -> None:
    policy = fresh(name, pairs_of(3))
    for _ in range(10):
        policy.observe([Outcome("i0+r", 0.9, True), Outcome("i1+r", 0.1, False)])
    larger = fresh(name, pairs_of(4))
    larger.restore(json.loads(json.dumps(policy.state())))
    assert [one.observations for one in larger.pair_stats()] == [10, 10, 0, 0]
    assert sum(larger.inclusion(2, 1, ()).values()) == pytest.approx(2)
    assert larger.inclusion(2, 1, ())["i3+r"] > 0


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
    assert one.draw(2, 3, ()) == other.draw(2, 3, ())


@pytest.mark.parametrize("name", [PolicyName.thompson, PolicyName.exp3])
def test_discounting_follows_a_change(name: PolicyName) -> None:
    policy = fresh(name, list("abc"), 2000, discount=0.99)
    for seed in range(1500):
        best = "a" if seed < 1000 else "b"
        drawn = policy.draw(1, seed, ())
        policy.observe([Outcome(o.pair, 0.7 if o.pair == best else 0.3, True, o.propensity) for o in drawn])
    assert policy.inclusion(1, 0, ())["b"] > 0.5


@pytest.mark.parametrize("factored", [False, True])
def test_agents_teach_about_pairs_never_drawn(factored: bool) -> None:
    factors = {f"i{j}+r{k}": (f"i{j}", f"r{k}") for j in range(4) for k in range(4)}
    policy = ThompsonPolicy(list(factors), factors=factors if factored else None)
    rng = np.random.default_rng(0)
    for _ in range(20):
        for pair, (left, right) in factors.items():
            if pair not in ("i0+r0", "i3+r3"):
                mean = (
                    0.5
                    + 0.1 * (left == "i0")
                    + 0.1 * (right == "r0")
                    - 0.1 * (left == "i3")
                    - 0.1 * (right == "r3")
                )
                policy.observe([Outcome(pair, float(mean + rng.uniform(-0.1, 0.1)), False)])
    means = dict(zip(factors, policy.state()["posterior"][0], strict=True))
    assert (means["i0+r0"] > means["i3+r3"] + 0.1) == factored


def test_the_state_of_fifty_by_fifty_pairs_stays_below_a_megabyte() -> None:
    factors = {
        f"rewriter-{j}+responder-{k}": (f"rewriter-{j}", f"responder-{k}")
        for j in range(50)
        for k in range(50)
    }
    policy = ThompsonPolicy(list(factors), factors=factors)
    rng = np.random.default_rng(0)
    for pair in factors:
        policy.observe([Outcome(pair, float(rng.random()), False)])
    assert len(json.dumps(policy.state())) < 1_000_000


def test_recalled_neighbours_are_forgotten_after_the_draw() -> None:
    policy = ThompsonPolicy(list("abc"))
    before = policy.state()
    policy.draw(2, 1, neighbours_of("a", "a"))
    assert policy.state() == before


def test_the_floor_is_a_lower_bound_for_a_hopeless_pair() -> None:
    for policy in (
        ThompsonPolicy(["a", "b", "c"], floor=0.3),
        PaperPolicy(["a", "b", "c"], beta=5.0, floor=0.3),
    ):
        for _ in range(200):
            policy.observe([Outcome("a", 1.0, True), Outcome("b", 0.0, False)])
        assert policy.inclusion(1, 3, ())["b"] == pytest.approx(0.1, abs=0.01)


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


def mean_reward(policy: Policy, means: np.ndarray, seeds: int, rng: np.random.Generator) -> float:
    """Average reward of all pairs drawn, three a seed, with noisy rewards around known means."""
    names = pairs_of(len(means))
    total = 0.0
    for _ in range(seeds):
        drawn = [one.pair for one in policy.draw(3, int(rng.integers(2**31)), ())]
        rewards = {
            pair: float(rng.beta(4 * m, 4 * (1 - m))) for pair in drawn for m in [means[names.index(pair)]]
        }
        best = max(rewards, key=rewards.__getitem__)
        policy.observe([Outcome(pair, reward, pair == best) for pair, reward in rewards.items()])
        total += sum(rewards.values()) / 3
    return total / seeds


@pytest.mark.parametrize("trial", range(3))
def test_both_learning_policies_beat_the_uniform_draw(trial: int) -> None:
    rng = np.random.default_rng(trial)
    means = rng.permutation(np.linspace(0.15, 0.6, 10))
    uniform, thompson, paper = (
        mean_reward(policy, means, 1000, np.random.default_rng(trial))
        for policy in (
            UniformPolicy(pairs_of(10)),
            ThompsonPolicy(pairs_of(10)),
            PaperPolicy(pairs_of(10), beta=7 / 1000),
        )
    )
    assert uniform == pytest.approx(0.375, abs=0.02)
    assert paper > uniform + 0.03
    assert thompson > uniform + 0.08


def test_a_long_run_of_the_papers_policy_never_loses_a_pair() -> None:
    policy = PaperPolicy(["a", "b", "c"], beta=50.0)
    for _ in range(2000):
        policy.observe([Outcome("a", 1.0, True)])
    inclusion = policy.inclusion(2, 0, ())
    assert sum(inclusion.values()) == pytest.approx(2)
    assert min(inclusion.values()) > 0
    assert policy.inclusion(2, 0, neighbours_of("b", "c"))["b"] == pytest.approx(0.5, abs=1e-3)
