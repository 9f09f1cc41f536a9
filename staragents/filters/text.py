"""Length, loops and refusals, by the rules that reject candidates; here they see kept seeds as well."""

from __future__ import annotations

from staragents.messages import Conversation
from staragents.rejects import is_refusal, loops, speaks_as_ai, words


def odd_length(messages: Conversation, least: int, most: int | None) -> str | None:
    count = len(words(messages[-1].content))
    if count < least or (most is not None and count > most):
        return f"{count} words"
    return None


def repetition(messages: Conversation) -> str | None:
    return "the response loops" if loops(messages[-1].content) else None


def refusal(messages: Conversation) -> str | None:
    """A response that declines, or in which an assistant speaks of itself."""
    response = messages[-1].content
    if is_refusal(response):
        return "the response declines"
    return "the response speaks as an AI" if speaks_as_ai(response) else None
