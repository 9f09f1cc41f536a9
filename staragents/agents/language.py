"""Conservative language detection: a rewrite of a French seed should be French.

The detector is py3langid (BSD-3-Clause): naive Bayes over byte n-grams, its model inside its wheel.
"""

from __future__ import annotations

import re
from functools import cache, cached_property
from typing import TYPE_CHECKING

import numpy as np

from staragents.base.language_detector import load_detector
from staragents.base.records import Seed

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

SURE = 0.9
"""Minimum probability for a language to count as known."""
MIN_BYTES = 30
"""Minimum UTF-8 bytes of letters: about 30 letters in Latin script or 10 Chinese characters."""
READ_CHARS = 400
PASSAGES = 8

# Dialects the detector cannot tell from the main language; training data nearly always means the main one.
_DIALECTS = frozenset({"wuu", "yue", "ary", "arz", "pcm"})
_NO_LANGUAGE = "zxx"
_NOT_WORDS = re.compile(r"(`{3,}).*?(?:\1|\Z)|`[^`\n]*`|\w+://\S+|<[^<>\n]{1,200}>", re.DOTALL)
_LETTERS = re.compile(r"[^\W\d_]+")
# Frequent in code, rare in prose.
_SYMBOLS = re.compile(r"[{}()\[\]<>=;_\\/|+#$@&%^~*]")
_MOST_SYMBOLS = 0.08
_BREAK = re.compile(r"\n+|[:\uff1a]\s|[\"\u201c\u201d\u00ab\u00bb]")


def language_of(text: str) -> str | None:
    """ISO 639 code of the text's main language; None if the text is too short, code, mixed or uncertain."""
    words = _words(text)
    if words is None:
        return None
    language, probability = load_identifier().classify(words)
    return language if probability >= SURE and language != _NO_LANGUAGE else None


def _words(text: str) -> str | None:
    """The beginning of the text as the detector reads it; None if it is too short to tell a language."""
    words = _prose(text[: 4 * READ_CHARS])[:READ_CHARS]
    letters = "".join(_LETTERS.findall(words))
    return words if len(letters.encode("utf-8", "replace")) >= MIN_BYTES else None


class SeedLanguages:
    """The languages of a seed, as far as they are certain.

    Detected lazily: a detection takes about 0.2 ms, and most texts are in the seed's language.
    """

    def __init__(self, seed: Seed) -> None:
        self._seed = seed

    @cached_property
    def instruction(self) -> frozenset[str]:
        """The languages of all passages: a text to translate is in a different language from the task."""
        passages = _BREAK.split(self._seed.instruction)[:PASSAGES]
        found = [self._whole, *map(language_of, passages if len(passages) > 1 else ())]
        return frozenset(language for language in found if language is not None)

    @cached_property
    def answer(self) -> str | None:
        """The response's language if it is certain and the instruction's only language, else None."""
        found = language_of(self._seed.response) if len(self.instruction) == 1 else None
        return found if found in self.instruction else None

    def strays_in_rewrite(self, instruction: str) -> bool:
        """Whether it is certainly in a language that no part of the seed's instruction uses."""
        found = language_of(instruction)
        if found is None or found == self._whole:
            return False
        return bool(self.instruction) and found not in self.instruction

    def strays_in_answer(self, answer: str) -> bool:
        """Whether it is certainly in a different language from the seed's instruction and response."""
        if not self._response_tells:
            return False
        found = language_of(answer)
        if found is None or found == self._whole:
            return False
        return self.answer is not None and found != self.answer

    @cached_property
    def _response_tells(self) -> bool:
        """Whether the response is long enough for a language: many are a word or a number."""
        return _words(self._seed.response) is not None

    @cached_property
    def _whole(self) -> str | None:
        turns = self._seed.messages[:-1]
        # Assume that a short last turn is in the language of the earlier turns.
        return language_of(self._seed.instruction) or language_of(
            "\n".join(turn.content for turn in turns if turn.role == "user")
        )


def _prose(text: str) -> str:
    """The text without code, markup and URLs."""
    text = _NOT_WORDS.sub(" ", text)
    lines = (line.strip() for line in text.splitlines())
    return "\n".join(line for line in lines if len(_SYMBOLS.findall(line)) <= _MOST_SYMBOLS * len(line))


@cache
def load_identifier() -> LanguageIdentifier:
    """Load the detector once: up to a second and 100 MB. Raises RunFailed."""
    identifier = load_detector("agents.keep_language")
    identifier.set_languages(set(identifier.labels) - _DIALECTS)
    # Row lookups in this table take two fifths of the time while it is column-major float16.
    identifier.nb_ptc = np.ascontiguousarray(identifier.nb_ptc, dtype=np.float32)
    return identifier
