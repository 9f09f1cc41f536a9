"""Equal work: the same answer tokens, steps and order of seeds in all arms."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staragents.evaluation.steps import steps_of

LENGTHS = st.integers(1, 12).flatmap(
    lambda rows: st.lists(st.lists(st.integers(1, 200), min_size=rows, max_size=rows), min_size=1, max_size=4)
)


@given(LENGTHS, st.integers(1, 3000), st.integers(1, 400), st.integers(0, 5))
def test_all_arms_do_equal_work(lengths: list[list[int]], tokens: int, step_tokens: int, seed: int) -> None:
    arms = {str(number): rows for number, rows in enumerate(lengths)}
    found = steps_of(arms, tokens=tokens, step_tokens=step_tokens, training_seed=seed)
    assert len({len(steps) for steps in found.values()}) == 1
    for name, steps in found.items():
        pieces = [piece for step in steps for piece in step]
        assert all(steps)
        assert sum(piece.tokens for piece in pieces) == tokens
        assert all(piece.tokens == arms[name][piece.row] for piece in pieces[:-1])
        assert 1 <= pieces[-1].tokens <= arms[name][pieces[-1].row]


@given(LENGTHS, st.integers(1, 3000), st.integers(0, 5))
def test_arms_read_the_seeds_in_the_same_order_and_none_is_lost_in_an_epoch(
    lengths: list[list[int]], tokens: int, seed: int
) -> None:
    arms = {str(number): rows for number, rows in enumerate(lengths)}
    found = steps_of(arms, tokens=tokens, step_tokens=100, training_seed=seed)
    orders = [[piece.row for step in steps for piece in step] for steps in found.values()]
    longest = max(orders, key=len)
    assert all(order == longest[: len(order)] for order in orders)
    rows = len(lengths[0])
    for start in range(0, len(longest) - rows + 1, rows):
        assert Counter(longest[start : start + rows]) == Counter(range(rows))


def test_steps_have_about_the_asked_size() -> None:
    arms = {"short": [40] * 100, "long": [160] * 100}
    found = steps_of(arms, tokens=4000, step_tokens=400, training_seed=0)
    for steps in found.values():
        assert len(steps) == 10
        assert all(abs(sum(piece.tokens for piece in step) - 400) <= 160 for step in steps)


def test_the_order_differs_between_training_seeds_and_epochs() -> None:
    def order(seed: int) -> list[int]:
        (steps,) = steps_of({"arm": [1] * 20}, tokens=40, step_tokens=5, training_seed=seed).values()
        return [piece.row for step in steps for piece in step]

    assert order(0) == order(0) != order(1)
    assert order(0)[:20] != order(0)[20:]


def test_an_arm_with_other_rows_does_as_much_work() -> None:
    found = steps_of({"run": [10] * 6, "file": [25] * 9}, tokens=90, step_tokens=30, training_seed=0)
    assert {len(steps) for steps in found.values()} == {3}
    assert {sum(one.tokens for step in steps for one in step) for steps in found.values()} == {90}


@pytest.mark.parametrize("arms", [{}, {"one": []}, {"one": [3], "two": []}])
def test_arms_without_rows_are_refused(arms: dict[str, list[int]]) -> None:
    with pytest.raises(ValueError, match="expected arms with rows"):
        steps_of(arms, tokens=10, step_tokens=5, training_seed=0)
