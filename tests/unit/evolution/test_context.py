"""What policies learn about kinds of instructions from recalled outcomes."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from staragents.config import PolicyName
from staragents.evolution.context import MAX_READINGS
from staragents.evolution.kernel_reading import KernelReading
from staragents.evolution.policy import NO_CONTEXT, DrawContext, Outcome
from staragents.evolution.thompson import ThompsonPolicy
from tests.support.policies import (
    LEARNING,
    fresh,
    histories,
    joined,
    kinds_run,
    pairs_of,
    quarters,
    recalled,
    recollections,
    seed_of,
)

FACTORS = {f"i{j}+r{k}": (f"i{j}", f"r{k}") for j in range(3) for k in range(3)}


@pytest.mark.parametrize("name", LEARNING)
def test_pairs_that_suit_a_kind_are_drawn_on_it(name: PolicyName) -> None:
    on, off = (
        kinds_run(fresh(name, list("abcd"), 300, memory_weight=weight), useful=True) for weight in (1.0, 0.0)
    )
    assert on > off + (0.005 if name is PolicyName.additive else 0.02)


@pytest.mark.parametrize("name", [PolicyName.thompson, PolicyName.ucb])
def test_useless_recollections_mostly_have_no_slope_and_cost_nothing(name: PolicyName) -> None:
    """Akaike's criterion takes one useless parameter in six for a useful one, half of them with a negative
    sign."""
    slopes, costs = [], []
    for world in range(12):
        policy, blind = (fresh(name, list("abcd"), 300, memory_weight=weight) for weight in (1.0, 0.0))
        on, off = (kinds_run(one, useful=False, world=world) for one in (policy, blind))
        costs.append(off - on)
        slopes.append(policy.memory_worth())
    assert slopes.count(0.0) >= 9
    assert abs(np.mean(costs)) < 0.003


def test_how_hard_instructions_are_is_not_read_as_a_pairs_worth() -> None:
    reading, means = KernelReading(["a", "b"], None), np.full(2, 0.5)
    hard = joined(*(seed_of(f"s{number}", 0.8, {"a": 0.1, "b": 0.1}) for number in range(20)))
    own, _ = reading.read(hard, means, 0.5)
    assert own == pytest.approx([0.0, 0.0], abs=0.03)
    told_apart = joined(*(seed_of(f"s{number}", 0.8, {"a": 0.3, "b": 0.1}) for number in range(20)))
    own, _ = reading.read(told_apart, means, 0.5)
    assert own[0] > 0.05
    assert own[1] < own[0] - 0.1


def test_nearer_instructions_weigh_more_on_any_scale_of_similarity() -> None:
    reading, means = KernelReading(["a", "b"], None), np.full(2, 0.5)
    near, far = {"a": 0.9, "b": 0.1}, {"a": 0.1, "b": 0.9}
    for low, high in ((0.1, 0.9), (0.80, 0.88)):
        found = joined(
            *(seed_of(f"n{number}", high, near) for number in range(10)),
            *(seed_of(f"f{number}", low, far) for number in range(10)),
        )
        own, _ = reading.read(found, means, 0.0)
        assert own[0] > 0.02 > -0.02 > own[1]


def test_agents_readings_reach_pairs_without_outcomes() -> None:
    reading, means = KernelReading(list(FACTORS), FACTORS), np.full(9, 0.5)
    rewards = {pair: 0.7 if left == "i0" else 0.4 for pair, (left, _) in FACTORS.items() if pair != "i0+r0"}
    own, agents = reading.read(
        joined(*(seed_of(f"s{number}", 0.7, rewards) for number in range(10))), means, 0.0
    )
    index = list(FACTORS).index("i0+r0")
    assert own[index] == 0.0
    assert reading.design is not None
    assert (reading.design @ agents)[index] > 0.1


def test_the_slope_of_agents_is_learnt_apart_from_that_of_pairs() -> None:
    rng = np.random.default_rng(0)
    for of_agents in (False, True):
        policy = ThompsonPolicy(list(FACTORS), factors=FACTORS)
        for _ in range(400):
            names = [*FACTORS, "i0+", "i1+", "i2+", "+r0", "+r1", "+r2"]
            readings = {name: round(float(rng.normal(0, 0.1)) * 65536) / 65536 for name in names}
            outcomes = []
            for pair in rng.choice(list(FACTORS), 2, replace=False).tolist():
                left, right = FACTORS[pair]
                worth = readings[f"{left}+"] + readings[f"+{right}"] if of_agents else readings[pair]
                outcomes.append(Outcome(pair, min(max(0.5 + worth + float(rng.normal(0, 0.1)), 0), 1), False))
            policy.observe(outcomes, DrawContext(1, (), readings))
        own, agents = policy._context.slopes()
        expected = (0.0, 1.0) if of_agents else (1.0, 0.0)
        assert (own, agents) == pytest.approx(expected, abs=0.15)


contexts = st.one_of(
    st.just(NO_CONTEXT),
    st.dictionaries(st.sampled_from(pairs_of(5)), quarters.map(lambda value: value - 0.5)).map(
        lambda readings: DrawContext(3, (), readings)
    ),
)


@pytest.mark.parametrize("name", [PolicyName.thompson, PolicyName.ucb])
@settings(max_examples=25, deadline=None)
@given(history=histories(), known=st.lists(contexts, min_size=12, max_size=12), data=st.data())
def test_shards_and_any_order_of_contexts_lead_to_the_same_draws(name, history, known, data) -> None:
    seeds = list(zip(history, known, strict=False))
    split = data.draw(st.integers(0, len(seeds)))
    whole, shard, rest, shuffled = (fresh(name, pairs_of(5)) for _ in range(4))
    for outcomes, context in seeds:
        whole.observe(outcomes, context)
    for outcomes, context in seeds[:split]:
        shard.observe(outcomes, context)
    for outcomes, context in seeds[split:]:
        rest.observe(outcomes, context)
    for outcomes, context in data.draw(st.permutations(seeds)):
        shuffled.observe(outcomes, context)
    shard.merge(json.loads(json.dumps(rest.state())))
    probe = DrawContext(1, (), {"i0+r": 0.25, "i1+r": -0.5})
    assert shard.state() == whole.state() == shuffled.state()
    assert shard.inclusion(2, 7, probe) == whole.inclusion(2, 7, probe) == shuffled.inclusion(2, 7, probe)


@pytest.mark.parametrize("name", LEARNING)
@settings(max_examples=25, deadline=None)
@given(history=histories(), found=recollections, seed=st.integers(0, 2**31 - 1))
def test_a_saved_context_gives_the_same_draw_after_a_restore(name, history, found, seed) -> None:
    policy = fresh(name, pairs_of(5))
    for outcomes in history:
        policy.observe(outcomes, policy.context(found))
    context = policy.context(found)
    restored = fresh(name, pairs_of(5))
    restored.restore(json.loads(json.dumps(policy.state())))
    saved = DrawContext.read(json.loads(json.dumps(context.state())))
    assert saved == context == restored.context(found)
    assert restored.draw(2, seed, saved) == policy.draw(2, seed, context)


@pytest.mark.parametrize("name", LEARNING)
def test_a_state_of_earlier_versions_starts_without_slopes(name: PolicyName) -> None:
    policy = fresh(name, list("ab"))
    policy.observe([Outcome("a", 0.5, True)])
    earlier = {key: value for key, value in policy.state().items() if key not in ("kinds", "seed_share")}
    earlier["context"] = {"pairs": {"a": [1.0, 0.5, 0.5]}, "products": [0.25, 0.25, 0.25]}
    restored = fresh(name, list("ab"))
    restored.restore(json.loads(json.dumps(earlier)))
    assert restored.memory_worth() == 0.0
    assert restored.draw(1, 3, NO_CONTEXT) == policy.draw(1, 3, NO_CONTEXT)


def test_a_context_stays_small_with_many_pairs() -> None:
    factors = {f"i{j}+r{k}": (f"i{j}", f"r{k}") for j in range(20) for k in range(20)}
    policy = ThompsonPolicy(list(factors), factors=factors)
    context = policy.context(recalled(*((pair, 0.1 * (len(pair) % 7), 0.5) for pair in factors)))
    assert 0 < sum(pair in factors for pair in context.readings) <= MAX_READINGS
    assert len(context.readings) <= 2 * MAX_READINGS
    assert len(context.neighbours) == 10
