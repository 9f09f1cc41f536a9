"""Removes what small models write around an instruction: an introduction, a label, quotes, a fence."""

from __future__ import annotations

import re

from staragents.agents.labelled_turns import is_conversation

# "Sure! Here's a rewritten version of the instruction:"
_INTRO = re.compile(
    r"(?:(?:sure|certainly|of course)\W{1,3})?here(?:'s|\u2019s| is)\b[^\n:]{0,60}"
    r"\b(?:instruction|prompt|version|question|task|rewrite)\b[^\n:]{0,60}:\s*",
    re.IGNORECASE,
)
# "New instruction:", "**Instruction:**"
_LABEL = re.compile(
    r"[*#\s]*(?:instructions?|(?:the\s)?(?:new|rewritten|revised|updated|improved|deeper)\s"
    r"(?:instruction|prompt|question|task|version))\**\s*:[*\s]*",
    re.IGNORECASE,
)
# "User:", "**Human:**"
_USER = re.compile(r"[*#\s]*(?:user|human)\**\s*:[*\s]*", re.IGNORECASE)
_FENCE = re.compile(r"(`{3,})[^\n`]*\n(.*?)\n?\1", re.DOTALL)
_QUOTES = {'"': '"', "\u201c": "\u201d", "'": "'", "\u00ab": "\u00bb"}


def clean_instruction(text: str) -> str:
    """The text without a leading introduction or label and without enclosing quotes or fence."""
    text = _unfenced(text.strip())
    intro = _INTRO.match(text)
    text = text[intro.end() :] if intro else text
    label = _LABEL.match(text)
    text = text[label.end() :] if label else text
    user = _USER.match(text)
    # A conversation may be the seed's own.
    text = text[user.end() :] if user and not is_conversation(text) else text
    return _unquoted(_unfenced(text.strip()), commented=intro is not None).strip()


def _unfenced(text: str) -> str:
    fence = _FENCE.fullmatch(text)
    return fence[2].strip() if fence else text


def _unquoted(text: str, commented: bool) -> str:
    """Remove quotes that enclose everything; after an introduction, also remove a comment that follows
    them."""
    closing = _QUOTES.get(text[:1])
    if closing is None:
        return text
    inside, found, after = text[1:].partition(closing)
    if found and (not after or (commented and after.startswith("\n"))):
        return inside
    return text
