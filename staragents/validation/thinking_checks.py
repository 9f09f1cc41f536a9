"""Checks of the settings for models that think before they answer."""

from __future__ import annotations

from collections.abc import Iterator

from staragents.config import EngineKind, ModelConfig, Reasoning
from staragents.validation.merging import shown

ENGINES_WITH_TEMPLATES = (EngineKind.vllm, EngineKind.openai)
OURS = (
    "messages", "conversation", "tools", "documents", "chat_template", "add_generation_prompt",
    "continue_final_message", "tokenize", "return_dict", "return_tensors", "padding", "truncation",
    "max_length", "return_assistant_tokens_mask", "tokenizer_kwargs",
)  # fmt: skip
"""Arguments of a chat template that the engine sets itself."""


def check_thinking(key: str, model: ModelConfig) -> Iterator[str]:
    """Whether the settings suit each other. Whether the chat template has the switch is known at start."""
    if not model.chat:
        if model.reasoning is not Reasoning.auto:
            yield f"{key}.reasoning: expected auto, as {key}.chat is false, got {model.reasoning}"
        if model.chat_template_kwargs:
            names = ", ".join(model.chat_template_kwargs)
            yield f"{key}.chat_template_kwargs: expected nothing, as {key}.chat is false, got {names}"
    elif model.chat_template_kwargs and model.kind not in ENGINES_WITH_TEMPLATES:
        names = ", ".join(model.chat_template_kwargs)
        yield f"{key}.chat_template_kwargs: expected nothing for kind {model.kind}, got {names}"
    for name in model.chat_template_kwargs:
        if name in OURS or not str(name).isidentifier():
            expected = "a variable of the chat template that staragents does not set itself"
            yield f"{key}.chat_template_kwargs: expected {expected}, got {shown(name)}"
    if model.extra_body and model.kind is not EngineKind.openai:
        names = ", ".join(map(str, model.extra_body))
        expected = f"nothing for kind {model.kind}, as only servers read it"
        yield f"{key}.extra_body: expected {expected}, got {names}"
