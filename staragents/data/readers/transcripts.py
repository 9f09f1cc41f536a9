"""A conversation as one text, with the speaker before each turn: `\\n\\nHuman: ...\\n\\nAssistant: ...`."""

from __future__ import annotations

import re
from typing import Any

_TURN = re.compile(r"(?:\A|\n\n)(Human|Assistant): ?", re.IGNORECASE)


def transcript(text: str) -> list[dict[str, Any]] | None:
    """The turns of a text that begins with a human's turn and has an assistant's, else None."""
    text = text.strip()
    if text[:6].lower() != "human:":
        return None
    pieces = _TURN.split(text)[1:]
    speakers = [speaker.lower() for speaker in pieces[::2]]
    if "assistant" not in speakers:
        # A prompt may end with the empty turn of the assistant, without the space after the colon.
        return None
    texts = [piece.strip() for piece in pieces[1::2]]
    return [{"role": who, "content": said} for who, said in zip(speakers, texts, strict=True)]
