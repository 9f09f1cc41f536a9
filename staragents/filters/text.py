"""Length, repetition and refusals: the reject rules for candidates, applied to kept seeds as well."""

from __future__ import annotations

from staragents.agents.loops import loops
from staragents.agents.refusal import is_refusal, speaks_as_ai
from staragents.base.messages import Conversation
from staragents.text.words import words


def odd_length(messages: Conversation, least: int, most: int | None) -> str | None:
    count = len(words(messages[-1].content))
    if count < least or (most is not None and count > most):
        return f"{count} words"
    return None


def repetition(messages: Conversation) -> str | None:
    return "the response loops" if loops(messages[-1].content) else None


def refusal(messages: Conversation) -> str | None:
    """Flags a response that declines, or in which an assistant refers to itself as an AI."""
    response = messages[-1].content
    if is_refusal(response):
        return "the response declines"
    return "the response speaks as an AI" if speaks_as_ai(response) else None
