"""How a chat template turns thinking on and off, read from the template itself."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from jinja2 import Environment, TemplateError, meta, nodes

from staragents.base.chat_rendering import rendered
from staragents.base.errors import EngineDead
from staragents.base.messages import Conversation, Message
from staragents.config import ModelConfig, Reasoning
from staragents.text.thinking import closes_thought, mentions_thoughts, opening_tag
from staragents.validation.thinking_checks import SWITCHES as BOOLEAN_SWITCHES

logger = logging.getLogger(__name__)

SWITCHES: tuple[tuple[str, tuple[Any, ...], tuple[Any, ...]], ...] = (
    *((name, (True,), (False,)) for name in BOOLEAN_SWITCHES),
    ("thinking_mode", ("enabled", "thinking", "on"), ("disabled", "chat", "off")),  # MiniMax M3
    ("reasoning_effort", ("high", "medium"), ("none", "no_think")),  # Mistral, Hy3; gpt-oss can't be off
    ("thinking_budget", (None,), (0,)),  # Seed-OSS
)
"""Variables of chat templates with their values for on and off. A text is a value only of templates that
contain it. None leaves the variable unset."""

_EFFORT = "reasoning_effort"
_LEAST_EFFORT = "low"
# Flags that some templates, and models without a variable, read from the last user turn.
_FLAGS = (("/think", "/no_think"), ("/think", "/nothink"))
_TAGS = {"<think>", "</think>"}
_PARSER = "reasoning_parser"
_GIVEN = frozenset(
    {"messages", "tools", "documents", "add_generation_prompt", "bos_token", "eos_token", "pad_token",
     "unk_token", "raise_exception", "strftime_now", "namespace", "range", "loop", "tojson",
     "continue_final_message"}
)  # fmt: skip
"""Variables that the tokenizer or Jinja sets."""


@dataclass(frozen=True, slots=True)
class ThinkingMode:
    """`variables` go to the chat template, `flag` to the end of the last user turn. `thinks`: whether the
    model may think before it answers. `opened`: the tag with which the template begins its thought."""

    variables: Mapping[str, Any]
    thinks: bool = False
    flag: str = ""
    opened: str = ""

    def flagged(self, messages: Conversation) -> Conversation:
        """The turns with the flag, if there is one."""
        if not self.flag or not messages or messages[-1].role != "user":
            return messages
        return (*messages[:-1], Message("user", f"{messages[-1].content} {self.flag}"))


def thinking_mode(tokenizer: Any, config: ModelConfig) -> ThinkingMode:
    """What `reasoning` and `chat_template_kwargs` mean for this tokenizer's chat template.

    Raises EngineDead with one line if the template can't do what they ask for.
    """
    source = _source(tokenizer)
    if not source or not config.chat:
        return ThinkingMode({})
    names = _variables(source)
    _check_names(config, names)
    asked = config.reasoning
    given = config.chat_template_kwargs
    ways = _switch(source, names, lambda way: _prompt(tokenizer, {**given, **way}))
    switch = {} if asked is Reasoning.auto else ways and ways[0 if asked is Reasoning.on else 1]
    flag = "" if switch or asked is Reasoning.auto else _flag(source, asked is Reasoning.on)
    variables = {**(switch or {}), **given}
    prompt = _prompt(tokenizer, variables, flag)
    if prompt is None:
        raise EngineDead(
            f"the chat template of {config.model} can't be rendered with {variables}: see "
            "chat_template_kwargs and reasoning"
        )
    opened = opening_tag(prompt)
    can_think = bool(opened) or mentions_thoughts(source)
    if asked is Reasoning.on:
        # What its template does not mention the model may have learned, or the user knows better.
        can_think = can_think or _PARSER in config.engine_args or tokenizer.get_vocab().keys() >= _TAGS
    if switch is None and not flag:
        _check_switch(config, can_think, opened)
    thinks = can_think and _thinks(tokenizer, config, ways[1] if ways else {}, prompt, bool(switch or flag))
    if _PARSER in config.engine_args and asked is not Reasoning.off:
        thinks = thinks or not closes_thought(prompt)
    return ThinkingMode(variables, thinks, flag, opened)


def _source(tokenizer: Any) -> str:
    template = getattr(tokenizer, "chat_template", None)
    if isinstance(template, dict):
        template = template.get("default", "")
    return template or ""


def _variables(source: str) -> frozenset[str] | None:
    """Variables that the template reads; None if it can't be parsed."""
    environment = Environment(
        extensions=["jinja2.ext.loopcontrols", "jinja2.ext.do"], autoescape=True, trim_blocks=True
    )
    # Marks the assistant's tokens for training, an extension of transformers.
    parsable = re.sub(r"{%-?\s*(?:end)?generation\s*-?%}", "", source)
    try:
        tree: nodes.Template = environment.parse(parsable)
        return frozenset(meta.find_undeclared_variables(tree)) - _GIVEN
    except (TemplateError, RecursionError):
        return None


def _check_names(config: ModelConfig, names: frozenset[str] | None) -> None:
    if names is None:
        return
    for name in config.chat_template_kwargs:
        if name not in names:
            known = ", ".join(sorted(names)) or "none"
            raise EngineDead(
                f"chat_template_kwargs.{name}: expected a variable of the chat template of {config.model} "
                f"({known}), got {name}"
            )


def _switch(
    source: str, names: frozenset[str] | None, render: Callable[[Mapping[str, Any]], str | None]
) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """The variable that turns thinking on and off, with its two values; None if the template has none that
    changes the prompt."""
    for name, values_on, values_off in SWITCHES:
        if name not in names if names is not None else not re.search(rf"\b{name}\b", source):
            continue
        known = [[value for value in values if _knows(source, value)] for values in (values_on, values_off)]
        if name == _EFFORT and not known[1]:
            # It thinks in any case: its own effort, or the least.
            return {}, {name: _LEAST_EFFORT}
        for value_on, value_off in product(*known):
            ways = [{} if value is None else {name: value} for value in (value_on, value_off)]
            with_on, with_off = map(render, ways)
            if with_on is not None and with_off is not None and with_on != with_off:
                return ways[0], ways[1]
    return None


def _knows(source: str, value: Any) -> bool:
    return not isinstance(value, str) or re.search(rf"['\"]{value}['\"]", source) is not None


def _flag(source: str, on: bool) -> str:
    return next((pair[0 if on else 1] for pair in _FLAGS if pair[1] in source), "")


def _check_switch(config: ModelConfig, can_think: bool, opened: str) -> None:
    """Raises EngineDead if `reasoning` asks for what the model can't do."""
    if config.reasoning is Reasoning.off and opened:
        raise EngineDead(
            f"reasoning: expected auto or on, as the chat template of {config.model} always begins a thought "
            f"({opened}) and has no variable to turn it off, got off"
        )
    if config.reasoning is Reasoning.on and not can_think:
        raise EngineDead(
            f"reasoning: expected auto or off, as the chat template of {config.model} has no markup for "
            f"thoughts (set engine_args.{_PARSER} if the model thinks anyway), got on"
        )


def _thinks(
    tokenizer: Any,
    config: ModelConfig,
    off: Mapping[str, Any],
    prompt: str,
    is_switched: bool,
) -> bool:
    """Whether the model may think in the way that is asked for. `off`: the variable that turns it off."""
    always = off.get(_EFFORT) == _LEAST_EFFORT
    if config.reasoning is Reasoning.off:
        if always:
            logger.warning("%s always thinks: reasoning=off asks for its least effort", config.model)
        elif not is_switched:
            logger.warning("the chat template of %s has no variable for reasoning=off", config.model)
        return always or not is_switched
    if opening_tag(prompt):
        return True
    if closes_thought(prompt):
        return False
    if config.reasoning is Reasoning.on or not off or always:
        return True
    # Off by default: the same prompt as with the switch off.
    return prompt != _prompt(tokenizer, {**config.chat_template_kwargs, **off})


def _prompt(tokenizer: Any, variables: Mapping[str, Any], flag: str = "") -> str | None:
    """The prompt of a short turn; None if the template raises."""
    turns = [{"role": "user", "content": f"Hi. {flag}".rstrip()}]
    try:
        return str(rendered(tokenizer, turns, tokenize=False, add_generation_prompt=True, **variables))
    except Exception:  # a template can raise anything
        return None
