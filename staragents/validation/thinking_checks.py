"""Checks of the settings for models that think before they answer."""

from __future__ import annotations

from collections.abc import Iterator

from staragents.config import EngineKind, ModelConfig, Reasoning
from staragents.validation.message_parts import shown

ENGINES_WITH_TEMPLATES = (EngineKind.vllm, EngineKind.openai)
OURS = (
    "messages", "conversation", "tools", "documents", "chat_template", "add_generation_prompt",
    "continue_final_message", "tokenize", "return_dict", "return_tensors", "padding", "truncation",
    "max_length", "return_assistant_tokens_mask", "tokenizer_kwargs",
)  # fmt: skip
"""Arguments of a chat template that the engine sets itself."""
VARIABLES = "chat_template_kwargs"
SWITCHES = (
    "enable_thinking",  # Qwen 3, GLM 4.5, Hunyuan, SmolLM 3, Nemotron 3 ...
    "thinking",  # DeepSeek 3.1, Granite 3.2, Kimi K2
    "enable_reasoning",
    "reasoning",  # Command A
)
"""Variables of chat templates that turn thinking on and off by true and false."""


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
    if model.reasoning is Reasoning.on:
        yield from _check_budget(key, model)
    if model.reasoning is not Reasoning.auto:
        yield from _check_switches(key, model)
    for name in model.chat_template_kwargs:
        if name in OURS or not str(name).isidentifier():
            expected = "a variable of the chat template that staragents does not set itself"
            yield f"{key}.chat_template_kwargs: expected {expected}, got {shown(name)}"
    if model.extra_body and model.kind is not EngineKind.openai:
        names = ", ".join(map(str, model.extra_body))
        expected = f"nothing for kind {model.kind}, as only servers read it"
        yield f"{key}.extra_body: expected {expected}, got {names}"
    variables = model.extra_body.get(VARIABLES)
    if VARIABLES in model.extra_body and not isinstance(variables, dict):
        yield f"{key}.extra_body.{VARIABLES}: expected a mapping, got {shown(variables)}"


def _check_budget(key: str, model: ModelConfig) -> Iterator[str]:
    if not model.thinking_tokens:
        yield f"{key}.thinking_tokens: expected at least 1, as {key}.reasoning is on, got 0"
    elif model.kind is EngineKind.vllm and model.thinking_tokens >= model.max_model_len:
        limit = f"{key}.max_model_len ({model.max_model_len}), which includes prompt and answer"
        yield f"{key}.thinking_tokens: expected less than {limit}, got {model.thinking_tokens}"


def _check_switches(key: str, model: ModelConfig) -> Iterator[str]:
    """A variable of the template may say more than `reasoning`, but not the opposite."""
    wanted = model.reasoning is Reasoning.on
    given = model.extra_body.get(VARIABLES)
    sections = {VARIABLES: model.chat_template_kwargs, f"extra_body.{VARIABLES}": given}
    for section, variables in sections.items():
        for name in SWITCHES:
            if isinstance(variables, dict) and variables.get(name) is (not wanted):
                expected = f"{str(wanted).lower()} or nothing, as {key}.reasoning is {model.reasoning}"
                yield f"{key}.{section}.{name}: expected {expected}, got {str(not wanted).lower()}"
