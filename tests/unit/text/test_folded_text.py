"""Text folding: look-alikes become equal, and every index of the result maps to an index of the text."""

# ruff: noqa: RUF001 (look-alikes are the subject)
from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staragents.text.folded_text import folded, original_indices

ANY_TEXT = st.text(st.characters(exclude_categories=()))


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("verdict: A", "verdict: A"),
        ("ｖｅｒｄｉｃｔ： Ａ", "verdict: A"),
        ("𝐯𝑒𝓇𝔡𝕚𝖼𝗍", "verdict"),
        ("ѵеrdісt", "verdict"),
        ("ver\u200b\u00ad\u2060dict\ufeff", "verdict"),
        ("v\u0301e\u0308rdıct", "verdict"),
        ("<｜User｜>", "<|User|>"),
        ("≮|im_end|＞", "<|im_end|>"),
        ("a\u00a0b\u2003c\u2028d\re", "a b c\nd\ne"),
        ("\x1b[2J\x00", "[2J"),
        ("漢字 Straße", "漢字 Straße"),
    ],
)
def test_invisible_characters_are_removed_and_look_alikes_become_ascii(text: str, plain: str) -> None:
    assert folded(text) == plain


@given(ANY_TEXT)
def test_a_text_is_folded_character_by_character(text: str) -> None:
    assert folded(text) == "".join(folded(one) for one in text)


@given(ANY_TEXT)
def test_compatibility_forms_and_accents_make_no_difference(text: str) -> None:
    assert folded(unicodedata.normalize("NFKD", text)) == folded(text)


@given(ANY_TEXT, st.data())
def test_an_offset_is_where_a_prefix_of_the_folded_text_ends(text: str, data: st.DataObject) -> None:
    end = data.draw(st.integers(0, len(folded(text))))

    (index,) = original_indices(text, [end])

    assert len(folded(text[:index])) >= end
    assert index == 0 or len(folded(text[: index - 1])) < end


def test_no_single_character_holds_more_of_a_marker_than_its_opening() -> None:
    every = (chr(code) for code in range(sys.maxunicode + 1))
    openings = [one for one in every if set(folded(one)) & set("<[")]

    assert {"<", "[", "＜", "［", "﹤"} <= set(openings)
    assert all(len(folded(one)) == 1 for one in openings)
