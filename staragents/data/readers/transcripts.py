"""A conversation as one text, with the speaker before each turn: `\\n\\nHuman: ...\\n\\nAssistant: ...`."""

from __future__ import annotations

import re
from typing import Any

from staragents.data.readers.chat_markup import marked_turns

_START = re.compile(r"\s*(?:#+ *)?(Human|User):", re.IGNORECASE)
_TURN = re.compile(r"(?:\A|\n\n)(Human|Assistant): ?", re.IGNORECASE)
_LOOSE_TURN = re.compile(r"(?:\A|\n)(?:#+ *)?(Human|User|Assistant): ?", re.IGNORECASE)


def transcript(text: str, is_loose: bool) -> list[dict[str, Any]] | None:
    """The turns of a text that begins with a human's turn and has an assistant's, else None.

    A text that `is_loose` may also have `User:`, `### Human:` or single line breaks, if it has no turns after
    empty lines.
    """
    if not _START.match(text):
        return None
    text = text.strip()
    for pattern in (_TURN, _LOOSE_TURN) if is_loose else (_TURN,):
        before, *pieces = pattern.split(text)
        speakers = [speaker.lower() for speaker in pieces[::2]]
        if not before and "assistant" in speakers:
            roles = ["assistant" if speaker == "assistant" else "user" for speaker in speakers]
            texts = [piece.strip() for piece in pieces[1::2]]
            return [{"role": who, "content": said} for who, said in zip(roles, texts, strict=True)]
    return None


def turns_of_text(text: str) -> list[dict[str, Any]] | None:
    """The turns of a text that is a whole conversation, in a chat template or with names of speakers, else
    None."""
    return marked_turns(text) or transcript(text, is_loose=True)
