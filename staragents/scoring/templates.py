"""Formats the conversation before an answer as prompt text."""

from __future__ import annotations

from typing import Any

from staragents.base.chat_rendering import rendered
from staragents.base.messages import Conversation, Message, as_dicts
from staragents.base.system_turn import chat_turns
from staragents.config import Template

# The exact text of Stanford Alpaca, which models tuned on it expect.
_ALPACA_PREAMBLE = (
    "Below is an instruction that describes a task. "
    "Write a response that appropriately completes the request."
)
_ALPACA_PREAMBLE_WITH_INPUT = (
    "Below is an instruction that describes a task, paired with an input that provides further context. "
    "Write a response that appropriately completes the request."
)


def prompt_text(messages: Conversation, template: Template, tokenizer: Any) -> str:
    """Prompt text for `messages`, all turns before the answer; empty if they have no text.

    plain: one line per turn, and one for an input in a column of its own: `{instruction}\\n` or
    `{instruction}\\n{input}\\n`, as in Superfiltering (code_ifd/data_analysis.py).
    chat: the tokenizer's chat template with generation prompt, for which an input is part of its turn.
    alpaca: the two prompts of Stanford Alpaca (train.py), with further blocks for more turns; a system
    message replaces the preamble.
    """
    if not any(message.content or message.input for message in messages):
        return ""
    if template is Template.chat:
        turns = as_dicts(chat_turns(messages, tokenizer))
        return str(rendered(tokenizer, turns, tokenize=False, add_generation_prompt=True))
    if template is Template.alpaca:
        return _alpaca(messages)
    return "".join(f"{line}\n" for message in messages for line in _lines(message))


def _lines(message: Message) -> list[str]:
    if message.input:
        return [message.instruction, message.input]
    return [message.content] if message.content else []


def _alpaca(messages: Conversation) -> str:
    has_input = any(message.input for message in messages)
    preamble = _ALPACA_PREAMBLE_WITH_INPUT if has_input else _ALPACA_PREAMBLE
    blocks = []
    for message in messages:
        if message.role == "system":
            preamble = message.content
            continue
        header = "Instruction" if message.role == "user" else "Response"
        blocks.append(f"### {header}:\n{message.instruction}\n\n")
        if message.input:
            blocks.append(f"### Input:\n{message.input}\n\n")
    return f"{preamble}\n\n{''.join(blocks)}### Response:"
