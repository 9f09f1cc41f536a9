"""Reads the entries of a block list, and tells whether one is of words alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from staragents.base.errors import BadInput
from staragents.text.character_classes import character_class
from staragents.text.words import folded, words

COMMENT = "#"
_AFTER_ENTRY = re.compile(r"\s#+\s.*")
_QUOTES = "\"'`\u00b4\u2018-\u201f\u00ab\u00bb\u2039\u203a\u300c-\u300f"
_STOPS = ".,;:!?\u2026\u3002\uff0c\u3001\uff01\uff1f\uff1b\uff1a\u061f\u060c\u061b\u0964"
_OPENINGS = "\u00bf\u00a1\u2022"
_EMPHASIS = re.compile(r"(\*\*|__|_|~~)(.+)\1")


def listed_entries(path: str, text: str) -> Iterator[str]:
    """Folded entries without comments, and quotes and punctuation around them. Raises BadInput for one
    that may end in a comment: it would match nothing."""
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if line.startswith(COMMENT):
            continue
        line = _AFTER_ENTRY.sub("", line)
        if re.search(r"\s#", line):
            expected = "a space after # if it begins a comment, and no # before a word of an entry"
            raise BadInput(f"{path}:{number}: expected {expected}, got neither")
        if entry := _bare(" ".join(folded(line).split())):
            yield entry


def is_of_words(entry: str) -> bool:
    """Whether an entry has no signs but those with which words are written in a sentence."""
    found = "".join(words(entry))
    return bool(found) and _joints().sub("", _around_words().sub("", entry)) == found


def _bare(entry: str) -> str:
    bare = _around_text().sub("", entry)
    if emphasised := _EMPHASIS.fullmatch(bare):
        bare = _around_text().sub("", emphasised[2])
    # Punctuation alone, such as `:-)`, is an entry, too.
    return bare if _around_text().sub("", _joints().sub("", bare)) else entry


@cache
def _around_text() -> re.Pattern[str]:
    return re.compile(rf"\A{_opening()}|{_closing()}\Z")


@cache
def _around_words() -> re.Pattern[str]:
    return re.compile(rf"(?<!\S){_opening()}|{_closing()}(?!\S)")


@cache
def _joints() -> re.Pattern[str]:
    """What `words` drops between words, and in which writers differ."""
    return re.compile(rf"[\s'\u2019{character_class(('Cf', 'Pd'))}]+")


# Several stars hide letters, as in `s***`, and several brackets are a sign.


def _opening() -> str:
    return rf"(?:[\s{_QUOTES}{_OPENINGS}{character_class(('Cf',))}]|\*(?!\*)|[(\[{{](?![(\[{{]))+"


def _closing() -> str:
    return rf"(?:[\s{_QUOTES}{_STOPS}{character_class(('Cf',))}]|(?<!\*)\*|(?<![)\]}}])[)\]}}])+"
