"""Loops: texts that repeat themselves, and texts that do not."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from staragents.agents.loops import loops


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(["soup", "bread", "tea", "rice"]), min_size=2, max_size=6), st.integers(9, 20)
)
def test_a_phrase_said_nine_times_or_more_is_a_loop(phrase: list[str], times: int) -> None:
    assert loops(" ".join(phrase * times))


@settings(deadline=None)
@given(st.permutations([f"word{chr(97 + i)}{chr(97 + j)}" for i in range(8) for j in range(10)]))
def test_a_text_that_says_everything_once_is_no_loop(distinct: list[str]) -> None:
    assert not loops(" ".join(distinct))
