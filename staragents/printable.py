"""Text of seeds and models, fit to be shown: in a terminal, a log, a page or a Markdown file."""

from __future__ import annotations

import json
import re
from typing import Any

# A model must not be able to clear the screen, set the title or hide what follows: control characters of both
# blocks but tab and newline are shown as the pictures Unicode has for them.
_PICTURES = {code: 0x2400 + code for code in range(0x20) if chr(code) not in "\t\n"}
_PICTURES[0x7F] = 0x2421
# Nor to reverse what is read (Bidi_Control), to break lines where few programs do, or to hide text.
_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_BREAKS = "\x80-\x9f\u2028\u2029"
_INVISIBLE = (
    "\u00ad\u115f\u1160\u180e\u200b\u2060-\u2065\u206a-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb"
    "\U000e0000-\U000e007f"
)
# Emoji and some scripts need joiners, which make no difference beside an ASCII character.
_JOINERS = (
    "(?<![^\x00-\x7f\u200c\u200d])[\u200c\u200d]",
    "[\u200c\u200d](?![^\x00-\x7f\u200c\u200d])",
)
# Nearly all texts have none of it, and to look is several times faster than to replace.
_UNFIT = re.compile(
    "|".join((f"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff{_BREAKS}{_BIDI}{_INVISIBLE}]", *_JOINERS))
)


def printable(text: str) -> str:
    """The text with marks in place of what a terminal or a browser would obey; its length stays."""
    return _UNFIT.sub(_picture, text)


def one_line(text: str) -> str:
    """The text on one line, with marks as `printable` sets them."""
    return printable(" ".join(text.split()))


def as_json(value: Any) -> str:
    """One line of JSON that a terminal can show: what it would obey is escaped, and the value is the same."""
    return _UNFIT.sub(_escape, json.dumps(value, ensure_ascii=False))


def _picture(found: re.Match[str]) -> str:
    return chr(_PICTURES.get(ord(found[0]), 0xFFFD))


def _escape(found: re.Match[str]) -> str:
    return json.dumps(found[0])[1:-1]
