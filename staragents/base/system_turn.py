"""System turns for chat templates without support for them: some raise, others drop the turn."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from staragents.base.chat_rendering import rendered
from staragents.base.messages import Conversation, Message, as_dicts

_PROBE = (Message("system", "A word: quokka."), Message("user", "Hi."))


def chat_turns(messages: Conversation, tokenizer: Any) -> Conversation:
    """The turns in a form that the chat template of `tokenizer` supports: without system turns (Gemma 2, some
    Mistral models), the system text is prepended to the first user turn."""
    merged = without_system(messages)
    return messages if merged is messages or _supports_system(tokenizer) else merged


def without_system(messages: Conversation) -> Conversation:
    """The turns with the text of a first system turn prepended to the turn after it."""
    if len(messages) < 2 or messages[0].role != "system":
        return messages
    first = Message(messages[1].role, f"{messages[0].content}\n\n{messages[1].content}")
    return (first, *messages[2:])


@lru_cache(maxsize=16)
def _supports_system(tokenizer: Any) -> bool:
    # Rendered, not searched for "system", as a template that raises on the role also contains the word.
    try:
        text = rendered(tokenizer, as_dicts(_PROBE), tokenize=False, add_generation_prompt=True)
    except Exception:  # A template can raise anything.
        return False
    return "quokka" in str(text)
