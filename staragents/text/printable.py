"""Makes seed and model text safe to show in a terminal, a log, a page or a Markdown file."""

from __future__ import annotations

import json
import re
from typing import Any

# Text must not be able to clear the screen, set the title or hide what follows: control characters except tab
# and newline become Unicode control pictures.
_PICTURES = {code: 0x2400 + code for code in range(0x20) if chr(code) not in "\t\n"}
_PICTURES[0x7F] = 0x2421
# Nor may text change reading direction (Bidi_Control), use unusual line breaks, or be invisible.
_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_BREAKS = "\x80-\x9f\u2028\u2029"
_INVISIBLE = (
    "\u00ad\u115f\u1160\u180e\u200b\u2060-\u2065\u206a-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb"
    "\U000e0000-\U000e007f"
)
# Emoji and some scripts need joiners, but they have no effect next to an ASCII character.
_JOINERS = (
    "(?<![^\x00-\x7f\u200c\u200d])[\u200c\u200d]",
    "[\u200c\u200d](?![^\x00-\x7f\u200c\u200d])",
)
# Nearly all texts contain none of these, and searching is several times faster than replacing.
_UNFIT = re.compile(
    "|".join((f"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff{_BREAKS}{_BIDI}{_INVISIBLE}]", *_JOINERS))
)

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def printable(text: str) -> str:
    """Replace characters that a terminal or browser would interpret. The length stays the same."""
    return _UNFIT.sub(_picture, text)


def without_colours(text: str) -> str:
    """The text without the colour codes of a terminal."""
    return _COLOUR.sub("", text)


def one_line(text: str) -> str:
    """`printable` text on one line."""
    return printable(" ".join(text.split()))


def as_json(value: Any) -> str:
    """One line of JSON in which characters that a terminal would interpret are escaped."""
    return _UNFIT.sub(_escape, json.dumps(value, ensure_ascii=False))


def _picture(found: re.Match[str]) -> str:
    return chr(_PICTURES.get(ord(found[0]), 0xFFFD))


def _escape(found: re.Match[str]) -> str:
    return json.dumps(found[0])[1:-1]
