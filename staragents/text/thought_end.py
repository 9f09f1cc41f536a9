"""The token with which a model ends its thoughts."""

from __future__ import annotations

import re
from typing import Any

from staragents.text.thought_marks import CLOSING

_CLOSING = re.compile(CLOSING)


def thought_end(tokenizer: Any) -> int | None:
    """Its id; None if the tokenizer has no such token. Of several, the first."""
    added = tokenizer.get_added_vocab().items()
    return min((number for token, number in added if _CLOSING.fullmatch(token)), default=None)
