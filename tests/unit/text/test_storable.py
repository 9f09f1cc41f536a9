"""Texts that can be stored in any file and request."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from staragents.base.generation import Generation, TokenLogprobs
from staragents.text.storable import storable

ANY_TEXT = st.text(st.characters(codec=None))


@given(ANY_TEXT)
def test_every_text_can_be_stored_afterwards(text: str) -> None:
    stored = storable(text)
    assert stored.encode("utf-8").decode("utf-8") == stored
    assert pa.array([stored]).to_pylist() == [stored]
    assert json.loads(json.dumps(stored, ensure_ascii=False).encode("utf-8")) == stored
    assert "\x00" not in stored
    assert storable(stored) == stored


@given(st.text(st.characters(codec="utf-8", exclude_characters="\x00")))
def test_a_storable_text_stays_unchanged(text: str) -> None:
    assert storable(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\ud800b", "a\ufffdb"),
        ("a\udc00", "a\ufffd"),
        ("\ud83d\ude00", "\U0001f600"),
        ("\ude00\ud83d", "\ufffd\ufffd"),
        ("a\x00b", "a\ufffdb"),
        ("\ud800\x00\U0001f600", "\ufffd\ufffd\U0001f600"),
    ],
)
def test_unstorable_characters_are_marked_and_surrogate_halves_are_joined(text: str, expected: str) -> None:
    assert storable(text) == expected
    assert Generation(text, "stop", 0, 0, 0.0).text == expected


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), 1.0, True, "-0.5", None, 10**400, -(10**400), [-0.5]]
)
def test_an_invalid_log_probability_is_dropped(value: object) -> None:
    assert TokenLogprobs("a", {"a": value, "b": -0.5}).top == {"b": -0.5}  # type: ignore[dict-item]


@pytest.mark.parametrize("value", [0, 0.0, 1e-7, -0.5, -9999, -1e308, float("-inf")])
def test_a_valid_log_probability_is_kept(value: float) -> None:
    assert TokenLogprobs("a", {"a": value}).top == {"a": value}
