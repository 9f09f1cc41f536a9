"""Fixed-size draws with exact inclusion probabilities."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from staragents.evolution.drawing import draw_pairs, proportional, with_floor

weights_and_count = st.lists(st.one_of(st.just(0.0), st.floats(1e-12, 1e6)), min_size=1, max_size=15).flatmap(
    lambda weights: st.tuples(st.just(np.array(weights)), st.integers(0, len(weights)))
)


def named(inclusion: np.ndarray) -> dict[str, float]:
    return {f"pair{index}": float(value) for index, value in enumerate(inclusion)}


def frequencies(inclusion: dict[str, float], draws: int, group: set[str] | frozenset[str] = frozenset()):
    counts = dict.fromkeys(inclusion, 0)
    for seed in range(draws):
        for drawn in draw_pairs(inclusion, seed, group):
            counts[drawn.pair] += 1
    return {pair: count / draws for pair, count in counts.items()}


@given(weights_and_count)
def test_inclusion_probabilities_sum_to_the_count_and_never_exceed_one(case) -> None:
    weights, count = case
    inclusion = proportional(weights, count)
    assert inclusion.sum() == pytest.approx(count, abs=1e-9)
    assert (inclusion >= 0).all()
    assert (inclusion <= 1 + 1e-12).all()


@given(weights_and_count)
def test_a_heavier_pair_is_never_drawn_less_often(case) -> None:
    weights, count = case
    inclusion = proportional(weights, count)[np.argsort(weights, kind="stable")]
    assert all(low <= high + 1e-12 for low, high in pairwise(inclusion))


def test_a_pairs_excess_probability_goes_to_the_others_in_proportion() -> None:
    assert proportional(np.array([8.0, 2.0, 1.0, 1.0]), 2) == pytest.approx([1.0, 0.5, 0.25, 0.25])


@given(weights_and_count, st.floats(0, 1))
def test_a_floor_keeps_the_sum_and_is_a_lower_bound_for_every_probability(case, floor: float) -> None:
    weights, count = case
    inclusion = with_floor(proportional(weights, count), floor)
    assert inclusion.sum() == pytest.approx(count, abs=1e-9)
    assert (inclusion >= floor * count / len(weights) - 1e-12).all()
    if count:
        assert (inclusion > 0).all()


@settings(max_examples=300)
@given(weights_and_count, st.floats(0, 1), st.integers(0, 2**31 - 1))
def test_a_draw_has_the_right_size_and_no_pair_twice(case, floor: float, seed: int) -> None:
    weights, count = case
    inclusion = named(with_floor(proportional(weights, count), floor))
    drawn = draw_pairs(inclusion, seed)
    assert len(drawn) == len({one.pair for one in drawn}) == count
    assert all(one.propensity == inclusion[one.pair] for one in drawn)
    assert drawn == draw_pairs(inclusion, seed)


@pytest.mark.parametrize("group", [frozenset(), frozenset({"pair1", "pair4"})])
def test_frequencies_are_the_inclusion_probabilities(group: frozenset[str]) -> None:
    inclusion = named(proportional(np.array([0.4, 0.25, 0.2, 0.1, 0.04, 0.01]), 3))
    seen = frequencies(inclusion, 4000, group)
    assert inclusion["pair0"] == 1.0
    for pair, expected in inclusion.items():
        # Four standard errors of a frequency.
        assert seen[pair] == pytest.approx(expected, abs=4 * (expected * (1 - expected) / 4000) ** 0.5 + 1e-9)


def test_any_two_pairs_can_be_drawn_together() -> None:
    inclusion = named(proportional(np.ones(6), 2))
    together = {tuple(one.pair for one in draw_pairs(inclusion, seed)) for seed in range(600)}
    assert len(together) == 15


def test_a_group_gets_its_summed_probability_rounded_up_or_down() -> None:
    inclusion = {"a": 0.7, "b": 0.2, "c": 0.5, "d": 0.6, "e": 0.4, "f": 0.6}
    group = {"a", "c", "e"}  # 1.6 together
    numbers = [sum(one.pair in group for one in draw_pairs(inclusion, seed, group)) for seed in range(4000)]
    assert set(numbers) == {1, 2}
    # Four standard errors.
    assert sum(numbers) / 4000 == pytest.approx(1.6, abs=4 * (0.6 * 0.4 / 4000) ** 0.5)


def test_a_group_gets_its_whole_number_of_draws() -> None:
    inclusion = {"a": 0.7, "b": 0.2, "c": 0.6, "d": 0.5, "e": 0.9, "f": 0.1}
    group = {"a", "b", "d", "c"}  # 2.0 together
    for seed in range(300):
        assert sum(one.pair in group for one in draw_pairs(inclusion, seed, group)) == 2
