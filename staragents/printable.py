"""Text of seeds and models, fit for a terminal."""

from __future__ import annotations

import re

# Control characters of both blocks but tab and newline, as the pictures Unicode has for them: a model must
# not be able to clear the screen, set the title or hide what follows.
PICTURES = {code: 0x2400 + code for code in range(0x20) if chr(code) not in "\t\n"}
PICTURES |= {0x7F: 0x2421} | dict.fromkeys(range(0x80, 0xA0), 0xFFFD)
# Nearly all texts have none of it, and to look is several times faster than to translate.
_UNFIT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def printable(text: str) -> str:
    """The text with control characters shown instead of obeyed; half a surrogate pair becomes a mark too."""
    if _UNFIT.search(text) is None:
        return text
    return text.translate(PICTURES).encode("utf-8", "replace").decode("utf-8")
