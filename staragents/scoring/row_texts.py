"""The two texts of a row: the prompt, and the text that is scored with and without it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from staragents.base.chat_rendering import rendered
from staragents.base.messages import REASONING, Conversation, as_dicts
from staragents.base.system_turn import chat_turns
from staragents.config import ScoredReasoning, Template
from staragents.scoring.templates import prompt_text

_KEYS = (REASONING, "thinking")
"""The keys from which chat templates take a turn's reasoning; gpt-oss has the second."""
_OPEN = re.compile(
    r"([<\[])((?:\w+:)?(?:think|thinking|thought|reason|reasoning))([>\]])\s*\Z", re.IGNORECASE
)
_ONLY_TAGS = re.compile(r"(?:\s|[<\[]/?[\w:]+[>\]])*")


@dataclass(frozen=True, slots=True)
class RowTexts:
    """`prompt` is left out in the pass without it; `scored` is scored in both passes."""

    prompt: str
    scored: str


def row_texts(
    messages: Conversation, template: Template, reasoning: ScoredReasoning, tokenizer: Any
) -> RowTexts:
    """The texts of a conversation that ends with the answer.

    A chat template renders the reasoning as it does for training; where it drops or does not know it, and in
    the other templates, the reasoning is between `<think>` tags before the answer. A thought that the
    generation prompt opens is closed before an answer without reasoning, which is not a thought.
    """
    *before, last = messages
    thought = last.reasoning_content if reasoning is not ScoredReasoning.ignore else None
    if reasoning is ScoredReasoning.ignore:
        before = [replace(turn, reasoning_content=None) for turn in before]
    prompt = prompt_text(tuple(before), template, tokenizer)
    if not thought or not thought.strip():
        return RowTexts(prompt + _closing(prompt, template), last.content)
    written = None
    if template is Template.chat and prompt:
        written = _written(tuple(before), last.content, thought, prompt, tokenizer)
    prompt, thought = written or (prompt, _tagged(prompt, template, thought))
    if reasoning is ScoredReasoning.context:
        return RowTexts(prompt + thought, last.content)
    return RowTexts(prompt, thought + last.content if last.content.strip() else last.content)


def _written(
    before: Conversation, answer: str, thought: str, prompt: str, tokenizer: Any
) -> tuple[str, str] | None:
    """The prompt, and the reasoning as the chat template writes it before the answer; None if it does not."""
    turns: list[dict[str, str]] = as_dicts(chat_turns(before, tokenizer))
    for key in _KEYS:
        turn = {"role": "assistant", "content": answer, key: thought}
        try:
            whole = str(rendered(tokenizer, [*turns, turn], tokenize=False))
        except Exception:  # A template can raise anything.
            continue
        shared = _common_start(prompt, whole)
        # A generation prompt may end with an empty thought where the whole conversation has the real one.
        if not _ONLY_TAGS.fullmatch(prompt, len(shared)):
            continue
        head = whole[len(shared) : max(len(shared), whole.rfind(answer.strip()))]
        if thought.strip() in head:
            return shared, head
    return None


def _common_start(one: str, other: str) -> str:
    if other.startswith(one):
        return one
    return one[: next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(other))]


def _tagged(prompt: str, template: Template, thought: str) -> str:
    closing = _closing(prompt, template)
    return f"{thought}{closing}" if closing else f"<think>\n{thought}\n</think>\n\n"


def _closing(prompt: str, template: Template) -> str:
    """What ends a thought that the generation prompt of a chat template opens, or an empty string."""
    opened = _OPEN.search(prompt) if template is Template.chat else None
    return f"\n{opened[1]}/{opened[2]}{opened[3]}\n\n" if opened else ""
