"""Running ranks and quantiles."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from staragents.reward.rank_sketch import BINS, SCALE, RankSketch

values = st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=60)


def sketch_of(numbers) -> RankSketch:
    sketch = RankSketch()
    for number in numbers:
        sketch.add(float(number))
    return sketch


def test_the_first_value_has_rank_one_half() -> None:
    assert RankSketch().rank(0.3) == 0.5
    assert sketch_of([0.3]).rank(0.3) == 0.5


@given(values, st.floats(allow_nan=False, allow_infinity=False))
def test_ranks_lie_in_the_unit_interval(numbers: list[float], value: float) -> None:
    assert 0.0 <= sketch_of(numbers).rank(value) <= 1.0


@given(values, st.floats(-2, 2), st.floats(-2, 2))
def test_a_larger_value_never_ranks_lower(numbers: list[float], one: float, other: float) -> None:
    sketch = sketch_of(numbers)
    assert sketch.rank(min(one, other)) <= sketch.rank(max(one, other))


def test_ranks_and_quantiles_are_close_to_the_exact_ones() -> None:
    numbers = np.random.default_rng(3).normal(0.05, 0.1, 5000)
    sketch = sketch_of(numbers)
    for value in (-0.2, -0.01, 0.0, 0.04, 0.1, 0.3):
        assert sketch.rank(value) == pytest.approx((numbers < value).mean(), abs=0.005)
    for q in (0.05, 0.5, 0.95):
        assert sketch.quantile(q) == pytest.approx(float(np.quantile(numbers, q)), abs=0.005)


@given(st.floats(-1e3, 1e3))
def test_the_quantile_of_one_value_is_that_value_within_a_bin(value: float) -> None:
    width = 2 * (SCALE + abs(value)) ** 2 / SCALE / BINS
    assert sketch_of([value]).quantile(0.95) == pytest.approx(value, abs=width)


@given(values, values)
def test_merged_shards_equal_one_sketch_of_both(one: list[float], other: list[float]) -> None:
    merged = sketch_of(one)
    merged.merge(sketch_of(other))
    assert merged.state() == sketch_of(other + one).state()
    assert merged.rank(0.3) == sketch_of(other + one).rank(0.3)


@given(values)
def test_a_restored_sketch_continues_identically(numbers: list[float]) -> None:
    sketch = sketch_of(numbers)
    restored = sketch_of([0.5])
    restored.restore(json.loads(json.dumps(sketch.state())))
    assert [restored.rank(one) for one in [*numbers, 0.0]] == [sketch.rank(one) for one in [*numbers, 0.0]]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        RankSketch().add(value)


def test_an_empty_sketch_has_no_quantile() -> None:
    with pytest.raises(ValueError, match="at least one value"):
        RankSketch().quantile(0.5)
