"""Words in scripts of all kinds."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staragents.text.words import words
from tests.support.growth import assert_linear

SINGLE = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff"
LETTERS = re.compile(rf"[{SINGLE}]|[^\W_{SINGLE}]+")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("भारत की राजधानी क्या है?", ["भारत", "की", "राजधानी", "क्या", "है"]),
        ("বাংলা ভাষা", ["বাংলা", "ভাষা"]),
        ("தமிழ் மொழி", ["தமிழ்", "மொழி"]),
        ("كَتَبَ الدَّرْسَ", ["كَتَبَ", "الدَّرْسَ"]),
        ("Cafe\u0301, x\u0304!", ["caf\u00e9", "x\u0304"]),
        ("\u0301 alone", ["alone"]),
        ("\U00011013\U00011038\U00011013 \U0001d400", ["\U00011013\U00011038\U00011013", "\U0001d400"]),
        ("1\ufe0f\u20e3 \u2764\ufe0f", ["1"]),
        ("Don't 2 + 2 a_b C++", ["don", "t", "2", "2", "a", "b", "c"]),
        ("日本語 and ไทย", ["日", "本", "語", "and", "ไ", "ท", "ย"]),
    ],
)
def test_marks_belong_to_their_word(text: str, found: list[str]) -> None:
    assert words(text) == found


@given(
    st.text(st.characters(max_codepoint=0x2FF) | st.characters(min_codepoint=0x3000, max_codepoint=0x9FFF))
)
def test_words_without_marks_are_runs_of_letters(text: str) -> None:
    if not re.search("[\u02b9-\u0362\u302a-\u302f\u3099\u309a]", text.casefold()):
        assert words(text) == LETTERS.findall(text.casefold())


@pytest.mark.parametrize("piece", ["a\u0301", "x\u0304 ", "\u0304", "की", "की "])
def test_marks_take_linear_time(piece: str) -> None:
    assert_linear(lambda size: words(piece * size), 50_000 // len(piece))
