"""The words of a text, for comparisons that ignore case and punctuation."""

from __future__ import annotations

import re

# Scripts without spaces count by character, as a whole sentence would be one word.
_WORD = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]"
    r"|[^\W_\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]+"
)


def words(text: str) -> list[str]:
    """Casefolded words without punctuation; single characters in scripts without spaces."""
    return _WORD.findall(text.casefold())
