"""Chooses the next form of a request that a server refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from actors.engines.capabilities import FORMS, Capabilities
from actors.engines.openai_request import LEAST_TEMPERATURE, LIMITS, MOST_TEMPERATURE, asked_tokens
from actors.engines.refusals import Refusal

Body = dict[str, Any]
FEW_LOGPROBS = 5
"""The most that some servers allow."""

SPELLED = {
    "logprobs": re.compile(r"log_?probs?|log[- ]probabilit|top_n_tokens"),
    "schema": re.compile(
        r"response_?format|json_?schema|json_?object|structured.?outputs?|guided|grammar|text\.format"
        r"|additionalproperties|m(?:ax|in)length|invalid schema|the word 'json'"
    ),
    "thinking": re.compile(
        r"chat_template_kwargs|enable_?thinking|reasoning_?effort|\bthinking\b|reasoning\."
    ),
    "limit": re.compile(r"max_?(?:completion_|output_|new_)?tokens|maxoutputtokens"),
    "temperature": re.compile(r"temperature"),
    "top_p": re.compile(r"top_?p\b"),
    "seed": re.compile(r"(?<![\w-])(?:random_)?seed(?![\w-])"),
    "stop": re.compile(r"(?<![\w-])stop(?:_?sequences?)?(?![\w-])"),
    "system": re.compile(
        r"\bsystem\b[^.]{0,40}\b(?:role|message|prompt|turn|instruction)|\brole\b[^.]{0,60}\bsystem\b"
        r"|\bgot system\b|roles? must alternate|developer instruction|only user and assistant"
    ),
}
"""How refusals name the capabilities."""
SENT_AS = {
    "logprobs": ("logprobs",),
    "schema": ("response_format",),
    "thinking": ("chat_template_kwargs", "reasoning_effort", "thinking", "enable_thinking"),
    "limit": LIMITS,
}
# Words of a refusal of the field itself, whatever its value.
_NOT_TAKEN = re.compile(
    r"unsupported|not supported|not support|unknown|unrecogni[sz]ed|unexpected|extra (?:input|field|param)"
    r"|not permitted|forbidden|not allowed|not available|unavailable|deprecated|only the default|only 1 "
    r"|\buse \W?\w+\W? instead|cannot be (?:set|used|specified)|not enabled|disabled|cannot both"
)
_RANGE = re.compile(
    r"must be|should be|between|range|at (?:least|most)|greater|less|positive|minimum|maximum|[<>]"
)
_AT_LEAST = re.compile(r">=|at least|minimum|below|greater|too small")
_BOTH = re.compile(r"both|only one|either")
_DEMANDED = re.compile(r"enable_thinking must be set to false")
_THINKS_NOT = re.compile(r"not support (?:thinking|reasoning)(?![\w.])")
_NUMBER = re.compile(r"(?<![\w.])\d{1,9}(?![\w.]*\d)")


def after_refusal(
    found: Capabilities, body: Body, refusal: Refusal, build: Callable[[Capabilities], Body]
) -> tuple[Capabilities, list[str]] | None:
    """What to send next after `refusal` of `body`, and the capabilities that changed. None if it names
    nothing that could be sent in another way."""
    names = _named(body, refusal)
    learnt, changed = found, []
    for name in names:
        stepped = _step(name, learnt, body, refusal)
        # A form without an effect on this request teaches nothing.
        while stepped is not None and build(stepped) == build(learnt):
            stepped = _next_form(name, stepped)
        if stepped is not None:
            learnt = stepped
            changed.append(name)
    return (learnt, changed) if changed else None


def room_left(refusal: Refusal, asked: int) -> int | None:
    """The new tokens for which the context has room, from the numbers in a refusal of `asked`: those of the
    context and of the prompt. None if they don't tell."""
    numbers = {int(n) for n in _NUMBER.findall(refusal.said)}
    pairs = [
        (context, prompt)
        for context in numbers
        for prompt in numbers - {asked}
        if prompt < context < prompt + asked and context != asked
    ]
    exact = [(context, prompt) for context, prompt in pairs if prompt + asked in numbers]
    if not exact and asked not in numbers:
        return None
    rooms = [context - prompt for context, prompt in exact or pairs]
    return min(rooms) if len(set(rooms)) == 1 else None


def _named(body: Body, refusal: Refusal) -> list[str]:
    """The capabilities that the refusal names, of those that the body uses."""
    used = [name for name in SPELLED if _is_used(name, body)]
    if _DEMANDED.search(refusal.body) and "thinking" not in used:
        used.append("thinking")
    if refusal.parameter:
        by_parameter = [name for name in used if SPELLED[name].search(refusal.parameter)]
        if by_parameter:
            return by_parameter
        if refusal.parameter.startswith("messages") and "system" in used and "system" in refusal.body:
            return ["system"]
    said = refusal.said.lower()
    names = [name for name in used if SPELLED[name].search(said)]
    if {"temperature", "top_p"} <= set(names) and _BOTH.search(said):
        return ["top_p"]
    return names


def _is_used(name: str, body: Body) -> bool:
    if name == "system":
        messages = body.get("messages", ())
        return len(messages) > 1 and messages[0]["role"] == "system"
    return any(field in body for field in SENT_AS.get(name, (name,)))


def _next_form(name: str, found: Capabilities) -> Capabilities | None:
    form = found.form(name) + 1
    return found.with_form(name, form) if form < len(FORMS[name]) else None


def _step(name: str, found: Capabilities, body: Body, refusal: Refusal) -> Capabilities | None:
    said = refusal.said.lower()
    taken = not _NOT_TAKEN.search(said)
    numbers = [int(n) for n in _NUMBER.findall(said)]
    if name == "limit" and taken:
        asked = asked_tokens(body)
        larger, smaller = [n for n in numbers if n > asked], [n for n in numbers if 0 < n < asked]
        if larger and _AT_LEAST.search(said):
            return replace(found, least_tokens=min(larger))
        if smaller:
            return replace(found, most_tokens=max(smaller))
    if name == "logprobs":
        return _fewer_logprobs(found, body, numbers, taken)
    if name == "temperature":
        inside = LEAST_TEMPERATURE <= body["temperature"] <= MOST_TEMPERATURE
        bounded = taken and _RANGE.search(said) and not inside and not found.temperature
        return found.with_form(name, 1 if bounded else 2)
    if name == "top_p":
        bounded = taken and body["top_p"] == 1 and not found.top_p
        return found.with_form(name, 1 if bounded else 2)
    if name == "thinking" and _THINKS_NOT.search(said):
        return found.with_form(name, len(FORMS[name]) - 1)
    if name == "schema" and found.schema == 0 and not re.search(r"m(?:ax|in)length|schema for", said):
        # Only complaints about the schema's content are worth another schema.
        return found.with_form(name, 2)
    return _next_form(name, found)


def _fewer_logprobs(found: Capabilities, body: Body, numbers: list[int], taken: bool) -> Capabilities | None:
    asked = int(body["top_logprobs"] if "top_logprobs" in body else body["logprobs"])
    smaller = [n for n in numbers if 1 < n < asked]
    if smaller and (taken or found.most_logprobs == 0):
        return replace(found, most_logprobs=max(smaller))
    if taken and asked > FEW_LOGPROBS:
        return replace(found, most_logprobs=FEW_LOGPROBS)
    return _next_form("logprobs", found)
