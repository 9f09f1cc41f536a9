"""What the policies learn from rewards and from the memory bank."""

from __future__ import annotations

import numpy as np
import pytest

from staragents.config import PolicyName
from staragents.evolution.paper import PaperPolicy
from staragents.evolution.policy import NO_CONTEXT, Outcome, Policy
from staragents.evolution.thompson import ThompsonPolicy
from staragents.evolution.uniform import UniformPolicy
from tests.support.policies import fresh, pairs_of, recalled


def two_domains(policy: Policy, seeds: int, useful: bool) -> float:
    """Mean reward where pair a is good on even seeds and b on odd ones, and neighbours are right or wrong."""
    rng = np.random.default_rng(1)
    total = 0.0
    for number in range(seeds):
        domain = number % 2 if useful else int(rng.integers(2))
        context = policy.context(recalled(("ab"[domain], 0.8, 0.9), ("ab"[domain], 0.7, 0.8)))
        good = "ab"[number % 2]
        drawn = [one.pair for one in policy.draw(1, number, context)]
        rewards = {pair: (0.8 if pair == good else 0.2) + float(rng.uniform(-0.2, 0.2)) for pair in drawn}
        policy.observe([Outcome(pair, reward, True) for pair, reward in rewards.items()], context)
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


@pytest.mark.parametrize("name", [PolicyName.thompson, PolicyName.exp3])
def test_discounting_follows_a_change(name: PolicyName) -> None:
    policy = fresh(name, list("abc"), 2000, discount=0.99)
    for seed in range(1500):
        best = "a" if seed < 1000 else "b"
        drawn = policy.draw(1, seed, NO_CONTEXT)
        policy.observe([Outcome(o.pair, 0.7 if o.pair == best else 0.3, True, o.propensity) for o in drawn])
    assert policy.inclusion(1, 0, NO_CONTEXT)["b"] > 0.5


@pytest.mark.parametrize("mean", [0.9, 0.1])
@pytest.mark.parametrize("discount", [1.0, 0.995])
def test_exp3_tells_within_1000_seeds_what_a_pair_added_after_1000_is_worth(
    mean: float, discount: float
) -> None:
    means = {"a": 0.3, "b": 0.5, "d": 0.4, "e": 0.2, "c": mean}
    rng = np.random.default_rng(0)

    def drawn(policy: Policy, seeds: range) -> int:
        """How often the new pair is."""
        times = 0
        for seed in seeds:
            draws = policy.draw(2, seed, NO_CONTEXT)
            policy.observe(
                [Outcome(o.pair, means[o.pair] + rng.uniform(-0.1, 0.1), False, o.propensity) for o in draws]
            )
            times += any(o.pair == "c" for o in draws)
        return times

    before = fresh(PolicyName.exp3, list("abde"), 2000, discount=discount)
    drawn(before, range(1000))
    after = fresh(PolicyName.exp3, list("abdec"), 2000, discount=discount)
    after.restore(before.state())
    times = drawn(after, range(1000, 2000))
    assert times > 900 if mean > 0.5 else times < 500


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


def mean_reward(policy: Policy, means: np.ndarray, seeds: int, rng: np.random.Generator) -> float:
    """Average reward of all pairs drawn, three a seed, with noisy rewards around known means."""
    names = pairs_of(len(means))
    total = 0.0
    for _ in range(seeds):
        drawn = [one.pair for one in policy.draw(3, int(rng.integers(2**31)), NO_CONTEXT)]
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
