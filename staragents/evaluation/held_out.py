"""Conversations that no student is trained on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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


def prompts_of(held_out: Iterable[HeldOut]) -> dict[str, str]:
    """By conversation id, that of the first conversation with the same prompt. Answers to one prompt are no
    independent evidence, so they count as one conversation."""
    first: dict[Conversation, str] = {}
    return {one.conversation_id: first.setdefault(one.prompt, one.conversation_id) for one in held_out}


def about_prompts(prompts: Mapping[str, str]) -> list[str]:
    """A line if several conversations have the same prompt."""
    different = len(set(prompts.values()))
    if different == len(prompts):
        return []
    return [
        f"{len(prompts)} held-out conversations have {different} different prompts: those of one prompt "
        "count as one conversation"
    ]
