"""System turns for chat templates that have no place for one: some raise, others leave it out."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from staragents.messages import Conversation, Message, as_dicts

_PROBE = (Message("system", "A word: quokka."), Message("user", "Hi."))


def chat_turns(messages: Conversation, tokenizer: Any) -> Conversation:
    """The turns as the chat template of `tokenizer` can say them: without a place for a system turn (Gemma 2,
    some of Mistral), its text stands before the first user's."""
    if len(messages) < 2 or messages[0].role != "system" or _has_place(tokenizer):
        return messages
    first = Message(messages[1].role, f"{messages[0].content}\n\n{messages[1].content}")
    return (first, *messages[2:])


@lru_cache(maxsize=16)
def _has_place(tokenizer: Any) -> bool:
    # Found out by trying: a template that only raises on the role has the word in it, too.
    try:
        text = tokenizer.apply_chat_template(as_dicts(_PROBE), tokenize=False, add_generation_prompt=True)
    except Exception:  # Templates raise what they like.
        return False
    return "quokka" in str(text)
