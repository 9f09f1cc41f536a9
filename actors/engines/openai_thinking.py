"""Thought and answer of a server's answer apart, where the server leaves both in one text."""

from __future__ import annotations

from dataclasses import replace

from actors.engines.openai_answers import reasoning_tokens
from actors.engines.openai_logprobs import of_answer
from staragents.base.generation import Generation, GenerationRequest
from staragents.text.thinking import split_thinking


def apart(answer: Generation, request: GenerationRequest, unopened: bool) -> Generation:
    """The answer without the thoughts that its text holds, which servers without a reasoning parser return as
    the model wrote them.

    `unopened`: whether thoughts of this model begin without a tag (see `is_unopened`). A text that was cut
    off before the closing tag is then a thought.
    """
    text, is_cut_off = answer.text, answer.finish_reason == "length"
    if request.messages is None or _is_json(text):
        return answer
    if not text and is_cut_off and not answer.reasoning_tokens:
        # Something used the tokens without being shown.
        return replace(answer, reasoning_tokens=max(1, answer.tokens_out))
    split = split_thinking(text, truncated=is_cut_off)
    if split.found:
        return _with(answer, split.reasoning, split.answer)
    if unopened and is_cut_off and text and not answer.reasoning:
        return _with(answer, text, "")
    return answer


def is_unopened(text: str) -> bool:
    """Whether the text begins within a thought whose opening tag is part of the prompt, as in many chat
    templates."""
    if _is_json(text):
        return False
    split = split_thinking(text)
    return bool(split.reasoning) and text.lstrip().startswith(split.reasoning)


def _is_json(text: str) -> bool:
    """A schema leaves no room for a thought, but its strings may quote tags."""
    return text.lstrip().startswith("{")


def _with(answer: Generation, thought: str, text: str) -> Generation:
    """Some servers return the thought twice: in its own field and in the text."""
    given = answer.reasoning.strip()
    reasoning = given if not thought or thought in given else f"{given}\n\n{thought}".strip()
    return replace(
        answer,
        text=text,
        reasoning=reasoning,
        reasoning_tokens=reasoning_tokens(answer.reasoning_tokens, reasoning, text, answer.tokens_out),
        logprobs=of_answer(answer.logprobs, text),
    )
