"""Removes special tokens from a text in which they had to stay because they may mark a thought."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def special_tokens(tokenizer: Any) -> tuple[str, ...]:
    """All that a tokenizer leaves out with `skip_special_tokens`, those included that have no role of their
    own. Longer ones come first, as one may contain another."""
    added = tokenizer.added_tokens_decoder.values()
    found = {*tokenizer.all_special_tokens, *(token.content for token in added if token.special)}
    return tuple(sorted(found, key=lambda token: (-len(token), token)))


def without_tokens(text: str, tokens: Iterable[str]) -> str:
    for token in tokens:
        if token in text:
            text = text.replace(token, "")
    return text
