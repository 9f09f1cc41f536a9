"""Text of models and tables, fit for UTF-8 files, JSON bodies and other models' prompts."""

from __future__ import annotations

import re

# Nearly all texts have none of it, and to look is several times faster than to convert.
_UNFIT = re.compile("[\x00\ud800-\udfff]")
REPLACEMENT = "\ufffd"


def storable(text: str) -> str:
    """The text with U+FFFD for every NUL and every surrogate that is not one half of a pair.

    A surrogate has no UTF-8, so one of them would fail a whole shard. Two halves of a pair that a server sent
    one by one become the character that they stand for.
    """
    if _UNFIT.search(text) is None:
        return text
    joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return joined.replace("\x00", REPLACEMENT)
