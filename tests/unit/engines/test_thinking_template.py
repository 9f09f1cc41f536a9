"""The switch of a chat template is found in the template itself. The templates here are short ones of our own
that turn thinking on and off in the way of a family's published template."""

from __future__ import annotations

from typing import Any

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast

from actors.engines.thinking_template import ThinkingMode, thinking_mode
from staragents.base.errors import EngineDead
from staragents.base.messages import Message
from staragents.config import ModelConfig, Reasoning

TURNS = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}"
ASSISTANT = "{% if add_generation_prompt %}[assistant]"
FAMILIES = {
    # An empty thought is written into the prompt if thinking is off.
    "Qwen3": TURNS + ASSISTANT + "{% if enable_thinking is defined and enable_thinking is false %}"
    "<think>\n\n</think>\n\n{% endif %}{% endif %}{# <think> #}",
    # Another instruction for each mode, and thinking unless it is turned off.
    "SmolLM3": "{% set enable_thinking = enable_thinking | default(true) %}" + TURNS + ASSISTANT +
    "{% if not enable_thinking %}<think>\n\n</think>\n{% endif %}{% endif %}",
    # The variable `thinking`, off by default; the prompt itself opens or closes the thought.
    "DeepSeek-V3.1": "{% if not thinking is defined %}{% set thinking = false %}{% endif %}" + TURNS +
    ASSISTANT + "{% if thinking %}<think>{% else %}</think>{% endif %}{% endif %}",
    # `thinking`, off by default; on adds a sentence that asks for a thought process.
    "Granite-3.2": "{% if thinking %}[system]Write 'Here is my thought process:' first.{% endif %}" + TURNS +
    ASSISTANT + "{% endif %}",
    # Always opens a thought.
    "Qwen3-Thinking-2507": TURNS + ASSISTANT + "<think>\n{% endif %}",
    # The effort is part of the system prompt; it always thinks, in a channel.
    "gpt-oss": "{% if reasoning_effort is not defined %}{% set reasoning_effort = 'medium' %}{% endif %}"
    "[system]Reasoning: {{ reasoning_effort }}" + TURNS + "{# <|channel|> #}" + ASSISTANT + "{% endif %}",
    # The effort has a value that turns thinking off, the default.
    "Mistral-Small-4": "{% set reasoning_effort = reasoning_effort | default('none') %}"
    "[MODEL_SETTINGS]{{ reasoning_effort }}{# [THINK] #}" + TURNS + "{% if reasoning_effort not in "
    "['none', 'high'] %}{{ raise_exception('unknown effort') }}{% endif %}",
    # A budget of 0 closes the thought.
    "Seed-OSS": TURNS + ASSISTANT + "{% if thinking_budget is defined and thinking_budget == 0 %}"
    "<seed:think></seed:think>{% endif %}{% endif %}{# <seed:think> #}",
    # Three modes by name; the model itself decides by default.
    "MiniMax-M3": "{% set mode = thinking_mode | default('adaptive') %}" + TURNS + ASSISTANT +
    "{% if mode == 'enabled' %}<mm:think>{% elif mode == 'disabled' %}</mm:think>{% endif %}{% endif %}",
    # Two modes by name, without thoughts by default.
    "DeepSeek-V4, as a template": "{% set thinking_mode = thinking_mode | default('chat') %}" + TURNS +
    ASSISTANT +
    "{% if thinking_mode == 'thinking' %}<think>{% else %}</think>{% endif %}{% endif %}",
    # The effort has a name of its own for off; the tags have a suffix.
    "Hy3": "{% set reasoning_effort = reasoning_effort | default('no_think') %}" + TURNS + ASSISTANT +
    "<think:6124c78e>{% if reasoning_effort == 'no_think' %}</think:6124c78e>{% endif %}{% endif %}"
    "{# 'low', 'high' #}",
    # Reads the variable only for earlier turns.
    "no effect": "{% for m in messages %}{% if enable_thinking and m.reasoning_content %}<think>{% endif %}"
    "{{ m.content }}{% endfor %}[assistant]<think>\n",
    # A flag in the last turn.
    "Nemotron-Nano-2": TURNS + ASSISTANT + "{% if '/no_think' in messages[-1].content %}<think></think>"
    "{% else %}<think>\n{% endif %}{% endif %}",
    # The variable `reasoning`, on by default.
    "Command-A-Reasoning": TURNS + ASSISTANT + "{% if reasoning is defined and not reasoning %}"
    "<|START_THINKING|><|END_THINKING|>{% endif %}{% endif %}{# <|START_THINKING|> #}",
    # Distilled from R1, without a switch: the model begins the thought by itself.
    "R1-Distill": TURNS + "{% if '</think>' in messages[-1].content %}{% endif %}" + ASSISTANT +
    "{% endif %}{# <think> #}",
    # Marks the tokens to train on with a block of transformers' own.
    "Qwen3, for training": "{% generation %}{% endgeneration %}" + TURNS + ASSISTANT +
    "{% if enable_thinking is false %}<think></think>{% endif %}{% endif %}{# <think> #}",
    "no thoughts": TURNS + ASSISTANT + "{% endif %}",
}  # fmt: skip


def mode(family: str, reasoning: str = "auto", tokens: tuple[str, ...] = (), **more: Any) -> ThinkingMode:
    vocab = {token: number for number, token in enumerate(("a", *tokens))}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(WordLevel(vocab, unk_token="a")))
    tokenizer.chat_template = FAMILIES[family]
    return thinking_mode(tokenizer, ModelConfig(model="org/m", reasoning=Reasoning(reasoning), **more))


@pytest.mark.parametrize(
    ("family", "auto", "on", "off"),
    [
        ("Qwen3", True, {"enable_thinking": True}, {"enable_thinking": False}),
        ("SmolLM3", True, {"enable_thinking": True}, {"enable_thinking": False}),
        ("DeepSeek-V3.1", False, {"thinking": True}, {"thinking": False}),
        ("Granite-3.2", False, {"thinking": True}, {"thinking": False}),
        ("Mistral-Small-4", False, {"reasoning_effort": "high"}, {"reasoning_effort": "none"}),
        ("Seed-OSS", True, {}, {"thinking_budget": 0}),
        ("MiniMax-M3", True, {"thinking_mode": "enabled"}, {"thinking_mode": "disabled"}),
        (
            "DeepSeek-V4, as a template",
            False,
            {"thinking_mode": "thinking"},
            {"thinking_mode": "chat"},
        ),
        ("Command-A-Reasoning", True, {"reasoning": True}, {"reasoning": False}),
        ("Hy3", False, {"reasoning_effort": "high"}, {"reasoning_effort": "no_think"}),
    ],
)
def test_the_variable_of_the_template_is_used(
    family: str, auto: bool, on: dict[str, Any], off: dict[str, Any]
) -> None:
    assert mode(family).variables == {}
    assert mode(family).thinks is auto
    assert (mode(family, "on").variables, mode(family, "on").thinks) == (on, True)
    assert (mode(family, "off").variables, mode(family, "off").thinks) == (off, False)


def test_a_model_without_thoughts_is_asked_as_before() -> None:
    assert mode("no thoughts") == mode("no thoughts", "off") == ThinkingMode({})


def test_a_model_may_think_though_its_template_mentions_no_thoughts() -> None:
    assert not mode("no thoughts", "on", engine_args={"reasoning_parser": "deepseek_r1"}).variables
    assert mode("no thoughts", "on", engine_args={"reasoning_parser": "deepseek_r1"}).thinks
    assert mode("no thoughts", "on", tokens=("<think>", "</think>")).thinks
    assert not mode("no thoughts", tokens=("<think>", "</think>")).thinks


def test_a_flag_is_added_where_the_template_reads_one() -> None:
    off = mode("Nemotron-Nano-2", "off")
    assert (off.variables, off.flag, off.thinks, off.opened) == ({}, "/no_think", False, "")
    turns = (Message("system", "Be kind."), Message("user", "Hi."))
    assert off.flagged(turns) == (turns[0], Message("user", "Hi. /no_think"))
    assert mode("Nemotron-Nano-2").flagged(turns) == turns


def test_the_tag_that_the_template_opens_is_known() -> None:
    assert mode("Qwen3-Thinking-2507").opened == "<think>"
    assert mode("Qwen3-Thinking-2507").thinks
    assert mode("DeepSeek-V3.1", "on").opened == "<think>"
    assert mode("Qwen3").opened == ""


def test_a_model_that_always_thinks_keeps_its_budget() -> None:
    least = mode("gpt-oss", "off")
    assert (least.variables, least.thinks) == ({"reasoning_effort": "low"}, True)
    assert mode("gpt-oss", chat_template_kwargs={"reasoning_effort": "high"}).thinks
    assert mode("R1-Distill", "off").thinks


@pytest.mark.parametrize(
    ("family", "settings", "line"),
    [
        ("Qwen3-Thinking-2507", {"reasoning": "off"}, "expected auto or on, .* always begins a thought"),
        ("no thoughts", {"reasoning": "on"}, "expected auto or off, .* has no markup for thoughts"),
        ("no effect", {"reasoning": "off"}, "expected auto or on, .* always begins a thought"),
        (
            "Qwen3",
            {"chat_template_kwargs": {"enable_thinkin": False}},
            r"chat_template_kwargs.enable_thinkin: expected a variable .*\(enable_thinking\)",
        ),
        ("Mistral-Small-4", {"chat_template_kwargs": {"reasoning_effort": "low"}}, "can't be rendered with"),
    ],
)  # fmt: skip
def test_what_a_template_can_not_do_is_one_line(family: str, settings: dict[str, Any], line: str) -> None:
    with pytest.raises(EngineDead, match=line) as error:
        mode(family, **settings)
    assert "\n" not in str(error.value)


def test_variables_of_the_config_win_over_the_switch() -> None:
    both = mode("Qwen3", "on", chat_template_kwargs={"enable_thinking": False})
    assert (both.variables, both.thinks) == ({"enable_thinking": False}, False)


def test_blocks_of_transformers_do_not_hide_the_switch() -> None:
    assert mode("Qwen3, for training", "off").variables == {"enable_thinking": False}
