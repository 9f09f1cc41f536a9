"""Formats the conversation before an answer as prompt text."""

from __future__ import annotations

from typing import Any

from staragents.base.messages import Conversation, as_dicts
from staragents.base.system_turn import chat_turns
from staragents.config import Template

# The exact text of Stanford Alpaca, which models tuned on it expect.
_ALPACA_PREAMBLE = (
    "Below is an instruction that describes a task. "
    "Write a response that appropriately completes the request."
)


def prompt_text(messages: Conversation, template: Template, tokenizer: Any) -> str:
    """Prompt text for `messages`, all turns before the answer; empty if they have no text.

    plain: one line per turn, so a single turn is `{instruction}\\n` as in Superfiltering.
    chat: the tokenizer's chat template with generation prompt. alpaca: blocks with headers; a system
    message replaces the preamble.
    """
    if not any(message.content for message in messages):
        return ""
    if template is Template.chat:
        turns = as_dicts(chat_turns(messages, tokenizer))
        return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))
    if template is Template.alpaca:
        return _alpaca(messages)
    return "".join(f"{message.content}\n" for message in messages if message.content)


def _alpaca(messages: Conversation) -> str:
    preamble = _ALPACA_PREAMBLE
    blocks = []
    for message in messages:
        if message.role == "system":
            preamble = message.content
        else:
            header = "Instruction" if message.role == "user" else "Response"
            blocks.append(f"### {header}:\n{message.content}\n\n")
    return f"{preamble}\n\n{''.join(blocks)}### Response:"
