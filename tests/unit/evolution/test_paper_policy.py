"""The policy of the paper."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from staragents.base.records import Candidate
from staragents.config import Credit, EvolutionConfig, PolicyName
from staragents.evolution.choice import make_policy
from staragents.evolution.paper import PaperPolicy
from staragents.evolution.policy import (
    NO_CONTEXT,
    DrawContext,
    Outcome,
    RecalledOutcomes,
    context_of,
    keep_context,
)
from tests.support.policies import fresh, histories, joined, neighbours_of, pairs_of, seed_of


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


def test_equation_eight_by_hand() -> None:
    policy = make_policy(
        EvolutionConfig(policy=PolicyName.paper, rate=7, credit=Credit.winner, floor=0), list("abcd"), 70
    )
    policy.observe([Outcome("a", 0.5, True), Outcome("b", 0.9, False)])
    # beta = 7 / 70: (0.25 + 0.1 * 0.5) / 1.05
    assert policy.state()["p"] == pytest.approx(
        {"a": 0.3 / 1.05, "b": 0.25 / 1.05, "c": 0.25 / 1.05, "d": 0.25 / 1.05}
    )


def test_with_credit_for_all_every_evaluated_pair_rises_in_one_step() -> None:
    policy = PaperPolicy(["a", "b"], beta=0.1, credit=Credit.all)
    policy.observe([Outcome("a", 1.0, True), Outcome("b", 0.5, False)])
    assert policy.state()["p"] == pytest.approx({"a": 0.6 / 1.15, "b": 0.55 / 1.15})


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
    context = policy.context(neighbours_of(*recalled))
    inclusion = policy.inclusion(3, 0, context)
    assert sum(inclusion[pair] for pair in pool) == pytest.approx(from_pool, abs=1e-4)
    counts = dict.fromkeys("abcdef", 0)
    for seed in range(2000):
        drawn = policy.draw(3, seed, context)
        assert sum(one.pair in pool for one in drawn) == from_pool
        for one in drawn:
            counts[one.pair] += 1
    for pair, expected in inclusion.items():
        error = 4 * (expected * (1 - expected) / 2000) ** 0.5
        assert counts[pair] / 2000 == pytest.approx(expected, abs=error + 1e-3)


def test_the_pool_has_the_pairs_of_all_winners_however_many_seeds_are_recalled() -> None:
    pairs = pairs_of(12)
    near, far = pairs[:1], pairs[6:]
    policy = PaperPolicy(pairs, beta=0.01)
    context = policy.context(neighbours_of(*near * 10, *far * 2))
    inclusion = policy.inclusion(4, 0, context)
    assert inclusion[far[0]] == pytest.approx(2 / 7, abs=1e-4)
    assert sum(inclusion[pair] for pair in near + far) == pytest.approx(2, abs=1e-4)
    assert len(context.neighbours) == 10 + len(far)
    saved = Candidate("s", "c", "p", "i", "r", 1.0, (), ())
    keep_context(saved, context)
    for again in (context_of([saved]), DrawContext.read(json.loads(json.dumps(context.state())))):
        assert again == context
        assert policy.draw(4, 3, again) == policy.draw(4, 3, context)


def test_a_pair_that_lost_on_similar_instructions_is_not_in_the_pool() -> None:
    policy = PaperPolicy(list("abcd"), beta=0.01)
    context = policy.context(joined(*(seed_of(f"s{n}", 0.9, {"a": 0.9, "b": 0.0}) for n in range(5))))
    inclusion = policy.inclusion(2, 0, context)
    assert (inclusion["a"], inclusion["b"]) == pytest.approx((1, 1 / 3), abs=1e-5)
    assert context.outcomes == 5
    lost = policy.context(RecalledOutcomes(("s",), ("b",), np.zeros(1), np.ones(1), np.array([False])))
    assert lost == NO_CONTEXT


def test_a_long_run_of_the_papers_policy_never_loses_a_pair() -> None:
    policy = PaperPolicy(["a", "b", "c"], beta=50.0)
    for _ in range(2000):
        policy.observe([Outcome("a", 1.0, True)])
    inclusion = policy.inclusion(2, 0, NO_CONTEXT)
    assert sum(inclusion.values()) == pytest.approx(2)
    assert min(inclusion.values()) > 0
    assert policy.inclusion(2, 0, policy.context(neighbours_of("b", "c")))["b"] == pytest.approx(
        0.5, abs=1e-3
    )
