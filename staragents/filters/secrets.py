"""Finds keys and tokens in a conversation."""

from __future__ import annotations

from staragents.base.messages import Conversation
from staragents.text.secret_patterns import SECRET_PATTERNS


def secrets(messages: Conversation) -> str | None:
    """The kinds of secrets in the conversation, never the secrets themselves."""
    texts = [text for message in messages for text in message.texts]
    kinds = [k for k, pattern in SECRET_PATTERNS.items() if any(pattern.search(t) for t in texts)]
    return ", ".join(kinds) or None
