"""Makes text of models and tables valid for UTF-8 files, JSON bodies and prompts."""

from __future__ import annotations

import re

# Nearly all texts contain none of these, and searching is several times faster than converting.
_UNFIT = re.compile("[\x00\ud800-\udfff]")
REPLACEMENT = "\ufffd"


def storable(text: str) -> str:
    """Replace NULs and unpaired surrogates with U+FFFD.

    Surrogates have no UTF-8 encoding, so a single one would fail a whole shard. The two halves of a pair that
    a server sent separately are joined to their character.
    """
    if _UNFIT.search(text) is None:
        return text
    joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return joined.replace("\x00", REPLACEMENT)
