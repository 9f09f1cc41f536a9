"""The body of a request to a server with OpenAI's API, in the form that the server takes."""

from __future__ import annotations

from typing import Any

from actors.engines.capabilities import Capabilities
from staragents.base.generation import GenerationRequest
from staragents.base.messages import Conversation
from staragents.base.system_turn import without_system
from staragents.config import ModelConfig, Reasoning

LIMITS = ("max_tokens", "max_completion_tokens")
OURS = ("model", "messages", "prompt", "stream", "n")
"""Fields that `extra_body` can't replace."""
LEAST_TEMPERATURE, MOST_TEMPERATURE = 0.01, 1.0
SWITCHES: dict[Reasoning, tuple[dict[str, Any], ...]] = {
    # DashScope refuses requests for whole answers, as ours are, if the model would think.
    Reasoning.auto: ({}, {}, {}, {}, {"enable_thinking": False}, {}),
    # Templates ignore variables that they don't have: Qwen, GLM and others read the first, DeepSeek and
    # Granite the second.
    Reasoning.off: (
        {"chat_template_kwargs": {"enable_thinking": False, "thinking": False}},
        {"reasoning_effort": "none"},
        {"reasoning_effort": "low"},
        {"thinking": {"type": "disabled"}},
        {"enable_thinking": False},
        {},
    ),
    Reasoning.on: (
        {"chat_template_kwargs": {"enable_thinking": True, "thinking": True}},
        {"reasoning_effort": "medium"},
        {"reasoning_effort": "medium"},
        {"thinking": {"type": "enabled"}},
        {"enable_thinking": True},
        {},
    ),
}
"""How reasoning is switched, by the forms of the capability `thinking`."""
# Strict schemas of some servers allow no limits of length.
LENGTHS = ("maxLength", "minLength")


def question(
    config: ModelConfig, request: GenerationRequest, found: Capabilities, room: int | None = None
) -> tuple[str, dict[str, Any]]:
    """Path and body of the request. `room`: new tokens that the model's context has room for, if known."""
    thinks = _thinks(config, request, found)
    body = {"model": config.model, **_sampling(request, found, thinks)}
    if request.json_schema and (form := _response_format(request.json_schema, found.schema)):
        # For raw prompts this is not in OpenAI's API, but vLLM supports it.
        body["response_format"] = form
    most = min(request.top_logprobs, found.most_logprobs or request.top_logprobs)
    most = 0 if found.logprobs else most
    chat = request.messages is not None
    if most:
        body |= {"logprobs": True, "top_logprobs": most} if chat else {"logprobs": most}
    if found.limit < len(LIMITS):
        body[LIMITS[found.limit] if chat else LIMITS[0]] = _limit(request, found, thinks, room)
    extra = {name: value for name, value in config.extra_body.items() if name not in OURS}
    if any(name in extra for name in LIMITS):
        body = {name: value for name, value in body.items() if name not in LIMITS}
    if not chat:
        return "completions", body | {"prompt": request.prompt or ""} | extra
    body["messages"] = _messages(request.messages or (), found)
    return "chat/completions", body | _template(config, found, extra) | extra_without_template(extra)


def extra_without_template(extra: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in extra.items() if name != "chat_template_kwargs"}


def precedence(config: ModelConfig) -> list[str]:
    """A line for every field of `extra_body` that meets one of ours: which wins."""
    lines = []
    for name in config.extra_body:
        if name in OURS:
            lines.append(f"extra_body.{name} is ignored: the run sets {name} itself")
        elif name in ("temperature", "top_p", "seed", "stop", "logprobs", "top_logprobs", "response_format"):
            lines.append(f"extra_body.{name} replaces what agents and judge ask for")
        elif name in LIMITS:
            lines.append(f"extra_body.{name} replaces max_tokens and thinking_tokens")
    return lines


def asked_tokens(body: dict[str, Any]) -> int:
    """The limit of new tokens in a request; 0 if it has none."""
    return next((body[name] for name in LIMITS if isinstance(body.get(name), int)), 0)


def _thinks(config: ModelConfig, request: GenerationRequest, found: Capabilities) -> bool:
    return request.messages is not None and (found.thinks or config.reasoning is Reasoning.on)


def _sampling(request: GenerationRequest, found: Capabilities, thinks: bool) -> dict[str, Any]:
    sampling = request.sampling
    body: dict[str, Any] = {}
    if found.temperature == 0:
        body["temperature"] = sampling.temperature
    elif found.temperature == 1:
        body["temperature"] = min(MOST_TEMPERATURE, max(LEAST_TEMPERATURE, sampling.temperature))
    if found.top_p == 0 or (found.top_p == 1 and sampling.top_p != 1):
        body["top_p"] = sampling.top_p
    if not found.seed:
        body["seed"] = request.seed
    # A server may stop at one within the thought.
    if sampling.stop and not found.stop and not thinks:
        body["stop"] = list(sampling.stop)
    return body


def _limit(request: GenerationRequest, found: Capabilities, thinks: bool, room: int | None) -> int:
    """New tokens: those of the answer, and those of the reasoning for a model that thinks."""
    sampling = request.sampling
    tokens = sampling.max_tokens + (sampling.thinking_tokens if thinks else 0)
    tokens = min(n for n in (tokens, found.most_tokens or tokens, room or tokens))
    return max(tokens, found.least_tokens)


def _response_format(schema: dict[str, Any], form: int) -> dict[str, Any] | None:
    if form == 2:
        return {"type": "json_object"}
    if form == 3:
        return None
    sent = {"name": "answer", "schema": _without_lengths(schema) if form else schema, "strict": True}
    return {"type": "json_schema", "json_schema": sent}


def _without_lengths(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_lengths(part) for name, part in value.items() if name not in LENGTHS}
    return [_without_lengths(part) for part in value] if isinstance(value, list) else value


def _messages(messages: Conversation, found: Capabilities) -> list[dict[str, str]]:
    """Role and content only: servers refuse fields that they don't know."""
    turns = without_system(messages) if found.system else messages
    return [{"role": turn.role, "content": turn.content} for turn in turns]


def _template(config: ModelConfig, found: Capabilities, extra: dict[str, Any]) -> dict[str, Any]:
    """The switch for reasoning and the variables of the chat template; the more specific setting wins."""
    body = dict(SWITCHES[config.reasoning][found.thinking])
    given = extra.get("chat_template_kwargs")
    variables = body.get("chat_template_kwargs", {}) | config.chat_template_kwargs
    variables |= given if isinstance(given, dict) else {}
    return body | {"chat_template_kwargs": variables} if variables else body
