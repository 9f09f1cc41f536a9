"""Conversations that no student is trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from staragents.base.messages import Conversation


@dataclass(frozen=True, slots=True)
class HeldOut:
    """A prompt and what one or several writers answered."""

    conversation_id: str
    prompt: Conversation
    """All turns before the answer."""
    answers: Mapping[str, str]
    """By writer. A file with one answer a row has the single writer `ANSWER`."""


ANSWER = "answer"
