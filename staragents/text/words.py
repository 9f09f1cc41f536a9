"""The words of a text, for comparisons that ignore case and punctuation."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from staragents.text.character_classes import BASIC_END, character_class

# Scripts without spaces count by character, as a whole sentence would be one word.
_SINGLE = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff"
_LETTER = rf"[^\W_{_SINGLE}]"
_WITHOUT_MARKS = re.compile(rf"[{_SINGLE}]|{_LETTER}+")
_MARKS = ("Mn", "Mc")
# They choose between pictures of a character, such as a digit and a key with it.
_SELECTORS = r"\u180b-\u180f\ufe00-\ufe0f"


def words(text: str) -> list[str]:
    """Casefolded words without punctuation; single characters in scripts without spaces. The vowel signs and
    accents of a word, which are no letters, belong to it."""
    text = folded(text)
    has_marks = not text.isascii() and _marks().search(text)
    return (_with_marks() if has_marks else _WITHOUT_MARKS).findall(text)


def folded(text: str) -> str:
    """The text as `words` compares it, but with all else that it holds. Some programs write a letter and its
    accent as two characters."""
    text = text.casefold()
    return text if text.isascii() else unicodedata.normalize("NFC", text)


@cache
def word_pattern() -> str:
    """A regular expression of one word of a folded text."""
    marks = character_class(_MARKS, without=_SINGLE + _SELECTORS)
    return rf"[{_SINGLE}]|{_LETTER}+(?:[{marks}]+{_LETTER}*)*"


@cache
def _with_marks() -> re.Pattern[str]:
    return re.compile(word_pattern())


@cache
def _marks() -> re.Pattern[str]:
    """Matches a mark, or any character beyond the Basic Multilingual Plane, as many ranges there are slow."""
    basic = character_class(_MARKS, without=_SINGLE, end=BASIC_END)
    return re.compile(rf"[{basic}\U00010000-\U0001ffff]")
