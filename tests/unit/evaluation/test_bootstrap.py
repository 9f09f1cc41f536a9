"""Intervals of simulated differences: how often they hold, and that they shrink with what is measured."""

from __future__ import annotations

import numpy as np
import pytest

from staragents.base.estimate import Estimate
from staragents.evaluation.bootstrap import difference_intervals, mean_intervals
from staragents.evaluation.power import measured_power, power_of

REPEATS = 120
MANY_REPEATS = 500


def differences(
    rng: np.random.Generator, arms: int, seeds: int, conversations: int, between_seeds: float
) -> np.ndarray:
    """Equal arms against one reference; each has errors of conversations, training seeds and both."""
    one = [
        rng.normal(0, 0.05, (1, conversations))
        + rng.normal(0, between_seeds, (seeds, 1))
        + rng.normal(0, 0.02, (seeds, conversations))
        for _ in range(arms + 1)
    ]
    return np.array(one[1:]) - one[0]


@pytest.mark.parametrize(("seeds", "conversations"), [(2, 50), (3, 100)])
def test_equal_arms_are_found_different_in_about_five_percent_of_repeats(
    seeds: int, conversations: int
) -> None:
    rng = np.random.default_rng(11)
    worlds = (differences(rng, 4, seeds, conversations, 0.005) for _ in range(MANY_REPEATS))
    # How far the worst arm is from its true difference, 0, in half widths of its interval.
    worst = np.array([max(abs(one.mean) / one.half_width for one in intervals_of(world)) for world in worlds])
    # 5 % of 500 are 25, with a standard deviation of 4.9; 8 % would be 40.
    assert 13 <= (worst > 1).sum() <= 37
    # The limits tell these intervals from ones that are a tenth narrower or 15 % wider.
    assert (worst > 0.9).sum() > 37
    assert (worst > 1.15).sum() < 13


def intervals_of(world: np.ndarray) -> list[Estimate]:
    intervals = difference_intervals(world)
    assert None not in intervals
    return [one for one in intervals if one is not None]


def test_intervals_of_single_arms_are_narrower_than_those_of_many() -> None:
    world = differences(np.random.default_rng(3), 6, 3, 80, 0.005)
    (alone,) = difference_intervals(world[:1])
    together = difference_intervals(world)[0]
    assert alone is not None
    assert together is not None
    assert alone.mean == together.mean
    assert together.high - together.low > 1.2 * (alone.high - alone.low)


def test_an_interval_of_more_confidence_is_wider_around_the_same_mean() -> None:
    values = np.random.default_rng(0).normal(1.0, 0.3, (1, 1, 400))
    (usual,), (wide,) = difference_intervals(values), difference_intervals(values, 0.9875)
    assert usual is not None
    assert wide is not None
    assert wide.mean == usual.mean
    assert (wide.high - wide.low) / (usual.high - usual.low) == pytest.approx(2.498 / 1.960, rel=0.02)


def test_few_training_seeds_that_differ_widen_the_interval() -> None:
    rng = np.random.default_rng(3)
    steady, shaky = (differences(rng, 1, 2, 400, sd)[0][None] for sd in (0.0, 0.05))
    (narrow,), (wide,) = difference_intervals(steady), difference_intervals(shaky)
    assert narrow is not None
    assert wide is not None
    assert wide.high - wide.low > 5 * (narrow.high - narrow.low)


def test_the_interval_of_one_row_has_the_textbook_width() -> None:
    values = np.random.default_rng(0).normal(1.0, 0.3, (1, 1, 400))
    (one,) = mean_intervals(values)
    assert one is not None
    assert one.mean == pytest.approx(values.mean(), abs=1e-5)
    assert one.high - one.mean == pytest.approx(1.96 * values.std(ddof=1) / 20, rel=0.05)


def test_one_number_has_no_interval_and_two_have_that_of_students_distribution() -> None:
    assert mean_intervals(np.array([[[0.4]]])) == [None]
    assert difference_intervals(np.zeros((2, 1, 1))) == [None, None]
    assert difference_intervals(np.zeros((0, 3, 5))) == []
    (one,) = mean_intervals(np.array([[[0.4], [0.6]]]), least=1)
    assert one is not None
    assert one.high - one.mean == pytest.approx(12.706 * 0.1, rel=0.01)


def test_training_seeds_do_not_tell_how_much_conversations_differ() -> None:
    one_conversation = np.array([[[0.014], [0.012], [0.016]]])
    assert difference_intervals(one_conversation) == mean_intervals(one_conversation) == [None]
    (score,) = difference_intervals(one_conversation, least=1)
    assert score is not None
    assert score.told


def test_equal_differences_are_no_certainty() -> None:
    assert difference_intervals(np.full((1, 2, 1), 0.05), least=1) == [None]
    assert difference_intervals(np.full((2, 3, 20), -0.5)) == [None, None]
    # A task that scores two different arms alike in every training seed does not prove that they are equal.
    assert difference_intervals(np.zeros((1, 3, 1)), least=1) == [None]
    assert difference_intervals(np.zeros((2, 3, 20))) == [None, None]


@pytest.mark.slow
def test_the_promised_difference_is_found_in_eighty_percent_of_repeats() -> None:
    rng = np.random.default_rng(2)
    promised = power_of(100, 3, 3, 0.05 * 2**0.5, 0.005 * 2**0.5)
    assert promised.difference is not None
    found = 0
    for _ in range(REPEATS):
        world = differences(rng, 3, 3, 100, 0.005)
        world[0] += promised.difference
        one = difference_intervals(world)[0]
        found += one is not None and one.low > 0
    assert 0.7 <= found / REPEATS <= 0.9


def test_power_grows_with_conversations_and_seeds_and_says_what_it_assumes() -> None:
    small, more, seeds = power_of(50, 2, 3), power_of(200, 2, 3), power_of(200, 5, 3)
    found = [one.difference for one in (small, more, seeds) if one.difference is not None]
    assert len(found) == 3
    assert found[0] > found[1] > found[2] > 0
    assert "assumed" in str(small)
    assert "50 conversations and 2 training seeds" in str(small)
    assert power_of(2, 3, 3).difference is not None
    for one in (power_of(1, 3, 3), measured_power(np.zeros((3, 3, 1)))):
        assert one.difference is None
        assert str(one) == (
            "1 conversation and 3 training seeds can detect no difference: intervals take at least 2 "
            "conversations"
        )
    measured = measured_power(differences(np.random.default_rng(0), 3, 5, 400, 0.005))
    assert measured.conversation_sd == pytest.approx(0.05 * 2**0.5, rel=0.1)
    assert measured.training_sd == pytest.approx(0.005 * 2**0.5, rel=0.6)
    assert "measured" in str(measured)
