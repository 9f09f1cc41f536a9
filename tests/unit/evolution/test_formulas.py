"""Policies against numbers worked out by hand or by scipy, from the formulas in their docstrings."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import norm

from staragents.config import PolicyName
from staragents.evolution.additive import AdditivePolicy
from staragents.evolution.drawing import FloatArray, above_threshold
from staragents.evolution.exp3 import Exp3Policy
from staragents.evolution.kernel_reading import KernelReading
from staragents.evolution.policy import NO_CONTEXT, DrawContext, Outcome, Policy, RecalledOutcomes
from staragents.evolution.thompson import ThompsonPolicy
from staragents.evolution.ucb import UcbPolicy
from tests.support.policies import fresh

MEAN, SD = np.array([0.6, 0.5, 0.45, 0.1]), np.array([0.05, 0.2, 0.1, 0.3])


def above(mean: FloatArray, sd: FloatArray, count: int) -> FloatArray:
    """P(value > t), where t makes the sum `count`."""
    threshold = brentq(lambda t: norm.sf(t, mean, sd).sum() - count, -9, 9, xtol=1e-12)
    return np.asarray(norm.sf(threshold, mean, sd))


def planted(policy: Policy, mean: FloatArray, sd: FloatArray, seeds: int = 0) -> Policy:
    """The policy with this posterior after `seeds` seeds."""
    posterior = [mean.tolist(), sd.tolist()]
    policy.restore(policy.state() | {"posterior": posterior, "seeds": seeds, "refreshed_at": seeds})
    return policy


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0])
def test_probabilities_above_the_threshold_are_those_of_normals(count: int, scale: float) -> None:
    assert above_threshold(MEAN, scale * SD, count) == pytest.approx(above(MEAN, scale * SD, count), abs=5e-4)


@pytest.mark.parametrize(("seeds", "width"), [(0, 0.42), (75, 0.22), (100, 0.02)])
def test_thompson_draws_by_an_optimistic_posterior_that_narrows_as_seeds_run_out(
    seeds: int, width: float
) -> None:
    """width = 2 x 0.2 x sqrt(share of seeds left) + 0.02, and means are raised by two widths."""
    policy = planted(ThompsonPolicy(list("abcd"), floor=0.0, total_seeds=100), MEAN, SD, seeds)
    found = policy.inclusion(2, 0, NO_CONTEXT)
    assert [*found.values()] == pytest.approx(above(MEAN + 2 * width * SD, width * SD, 2), abs=5e-4)


@pytest.mark.parametrize(
    ("seeds", "level"),
    [
        (0, 0.3317),  # bonus 0.6 sd sqrt(2 ln(1 + 100/2)) = 1.6825 sd
        (50, 0.3468),  # bonus 0.6 sd sqrt(2 ln(1 + 50/2)) = 1.5316 sd
    ],
)
def test_ucb_adds_its_bonus_to_the_mean(seeds: int, level: float) -> None:
    """0.5 + 0.1 bonus = level + 0.2 bonus."""
    for mean, best in ((level - 0.002, "a"), (level + 0.002, "b")):
        policy = UcbPolicy(["a", "b"], floor=0.0, exploration=0.2, total_seeds=100)
        policy = planted(policy, np.array([0.5, mean]), np.array([0.1, 0.2]), seeds)
        assert policy.inclusion(1, 0, NO_CONTEXT)[best] == pytest.approx(1.0, abs=1e-5)


def test_exp3_divides_by_the_propensity() -> None:
    policy = Exp3Policy(["a", "b", "c"])
    policy.observe([Outcome("a", 0.5, False, 0.25), Outcome("b", 0.0, True, 0.75)])
    state = policy.state()
    # 0.5 / (0.25 + 0.01), and 0.5^2 / (0.25 + 0.01).
    assert state["gains"] == pytest.approx({"a": 1.92308, "b": 0.0, "c": 0.0}, abs=1e-4)
    assert state["variation"] == pytest.approx(0.96154, abs=1e-4)
    # eta = sqrt(2 ln 3 / 1.96154) = 1.05837; exp(-1.92308 eta) = 0.13064; 5 % are uniform.
    found = policy.inclusion(1, 0, NO_CONTEXT)
    assert found == pytest.approx({"a": 0.76987, "b": 0.11506, "c": 0.11506}, abs=1e-4)


def test_exp3_forgets_at_its_discount() -> None:
    policy = Exp3Policy(["a", "b"], discount=0.5)
    for _ in range(2):
        policy.observe([Outcome("a", 0.5, False, 0.49)])
    assert policy.state()["gains"]["a"] == pytest.approx(1.5, abs=1e-4)
    assert policy.state()["variation"] == pytest.approx(0.75, abs=1e-4)


@pytest.mark.parametrize(
    ("reading", "probability"),
    [
        (0.125, 0.62246),  # exp(0.125 / 0.25) = 1.64872
        (-0.125, 0.37754),
        (1.0, 0.8),  # exp(4) is clipped to 4
        (-1.0, 0.2),
    ],
)
def test_additive_multiplies_by_the_clipped_boost(reading: float, probability: float) -> None:
    policy = AdditivePolicy(["a", "b"], beta=0.0, floor=0.0)
    for number in range(8):
        before = (-0.125, 0.125)[number % 2]
        policy.observe([Outcome("a", 0.25 + before, False)], DrawContext(1, (), {"a": before}))
    assert policy.memory_worth() == pytest.approx(1.0, abs=1e-6)  # rewards follow the reading exactly
    found = policy.inclusion(1, 0, DrawContext(1, (), {"a": reading}))
    assert found["a"] == pytest.approx(probability, abs=1e-4)
    assert policy.inclusion(1, 0, NO_CONTEXT)["a"] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("seed_share", "expected"),
    [
        # e = 0.4, 0, -0.2, 0; what they have in common is 0.29732 / 6.02683 = 0.04933.
        (0.0, [0.02340, -0.00785]),
        # Half of each seed's other residual is taken off: e = 0.4, -0.2, -0.2, 0.1; in common 0.02467.
        (0.5, [0.02733, -0.01955]),
    ],
)
def test_a_reading_is_the_kernel_weighted_mean_of_residuals(seed_share: float, expected: list[float]) -> None:
    """Cosines with a standard deviation of 0.1: weights 1 and exp(-0.2 / 0.3) = 0.51342. A reading is
    sum(w (e - common)) / (8 + 1.51342), where common = sum(w e) / (3 + 3.02683)."""
    found = RecalledOutcomes(
        ("near", "near", "far", "far"),
        ("a", "b", "a", "b"),
        np.array([0.9, 0.5, 0.3, 0.5]),
        np.array([0.9, 0.9, 0.7, 0.7]),
        np.array([True, False, False, True]),
    )
    own, _ = KernelReading(["a", "b"], None).read(found, np.full(2, 0.5), seed_share)
    assert own == pytest.approx(expected, abs=1e-5)


def test_a_single_outcome_is_shrunk_by_both_priors() -> None:
    found = RecalledOutcomes(("s",), ("a",), np.array([0.9]), np.array([0.3]), np.array([True]))
    own, _ = KernelReading(["a", "b"], None).read(found, np.full(2, 0.5), 0.0)
    assert own == pytest.approx([(0.4 - 0.4 / 4) / 9, 0.0], abs=1e-6)


@pytest.mark.parametrize("name", [PolicyName.thompson, PolicyName.ucb])
def test_every_policy_reads_recollections_with_the_posterior_and_seed_share(name: PolicyName) -> None:
    policy = planted(fresh(name, ["a", "b"]), np.full(2, 0.5), np.full(2, 0.1))
    policy.restore(json.loads(json.dumps(policy.state() | {"seed_share": 0.5})))
    found = RecalledOutcomes(
        ("near", "near", "far", "far"),
        ("a", "b", "a", "b"),
        np.array([0.9, 0.5, 0.3, 0.5]),
        np.array([0.9, 0.9, 0.7, 0.7]),
        np.array([True, False, False, True]),
    )
    assert policy.context(found).readings == pytest.approx({"a": 0.02733, "b": -0.01955}, abs=2e-5)
