"""Where the reasoning of an answer goes, with the chat templates of thinking models.

The templates are our own short forms of the published ones: what they write around thoughts is the same.
"""

from __future__ import annotations

from typing import Any

import pytest

from staragents.base.messages import Message
from staragents.config import ScoredReasoning, Template
from staragents.scoring.row_texts import RowTexts, row_texts
from tests.support.chat_tokenizer import chat_tokenizer
from tests.support.clock import set_date

ASK, ANSWER, THOUGHT = "What is 2 + 2?", "It is 4.", "Two and two.\nSo four."
CHATML = (
    "{% for m in messages %}{% if m.role != 'assistant' %}"
    "<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% else %}<|im_start|>assistant\n"
)
ENDS = (
    "{{ m.content }}<|im_end|>\n{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n"
)
PLAIN = CHATML + ENDS + "{% endif %}"
"""ChatML without thoughts: SmolLM2, Qwen2.5."""
QWEN3 = (
    CHATML + "{% if loop.last or m.reasoning_content %}<think>\n"
    "{{ (m.reasoning_content or '').strip('\n') }}\n</think>\n\n{% endif %}" + ENDS + "{% endif %}"
)
QWEN3_THINKING = QWEN3.replace("assistant\n{% endif %}", "assistant\n<think>\n{% endif %}")
"""Qwen3-...-Thinking-2507: the generation prompt opens a thought."""
QWEN3_OFF = QWEN3.replace("assistant\n{% endif %}", "assistant\n<think>\n\n</think>\n\n{% endif %}")
"""A generation prompt with an empty thought, as with thinking off by default."""
R1 = (
    "{% for m in messages %}{% if m.role == 'user' %}<U>{{ m.content }}{% else %}"
    "<A>{{ m.content.split('</think>')[-1] }}<E>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<A><think>\n{% endif %}"
)
"""DeepSeek-R1: drops every thought, and the generation prompt opens one."""
GLM = (
    "[gMASK]<sop>{% for m in messages %}{% if m.role == 'user' %}<|user|>\n{{ m.content }}{% else %}"
    "<|assistant|>\n<think>{{ (m.reasoning_content or '').strip() }}</think>\n{{ m.content.strip() }}"
    "{% endif %}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
HARMONY = (
    "{% for m in messages %}{% if m.role == 'user' %}<|start|>user<|message|>{{ m.content }}<|end|>{% else %}"
    "{% if 'thinking' in m and loop.last %}<|start|>assistant<|channel|>analysis<|message|>{{ m.thinking }}"
    "<|end|>{% endif %}<|start|>assistant<|channel|>final<|message|>{{ m.content }}<|return|>"
    "{% endif %}{% endfor %}{% if add_generation_prompt %}<|start|>assistant{% endif %}"
)
MAGISTRAL = (
    "<s>{% for m in messages %}{% if m.role == 'user' %}[INST]{{ m.content }}[/INST]{% else %}{{ m.content }}"
    "</s>{% endif %}{% endfor %}"
)
RAISES = (
    "{% for m in messages %}{% if m.reasoning_content or m.thinking %}{{ raise_exception('unknown key') }}"
    "{% endif %}<{{ m.role }}>{{ m.content }}{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
)


def texts(
    template: str | Template, use: ScoredReasoning, thought: str | None = THOUGHT, *before: Message
) -> RowTexts:
    messages = (*before, Message("user", ASK), Message("assistant", ANSWER, thought))
    if isinstance(template, Template):
        return row_texts(messages, template, use, None)
    return row_texts(messages, Template.chat, use, chat_tokenizer(template))


CHAT = f"<|im_start|>user\n{ASK}<|im_end|>\n<|im_start|>assistant\n"
TAGS = f"<think>\n{THOUGHT}\n</think>\n\n"
CASES: dict[str, tuple[Any, str, str, str]] = {
    "plain": (Template.plain, f"{ASK}\n", "", TAGS),
    "alpaca": (
        Template.alpaca,
        "Below is an instruction that describes a task. Write a response that appropriately completes the "
        f"request.\n\n### Instruction:\n{ASK}\n\n### Response:",
        "",
        TAGS,
    ),
    "no thoughts": (PLAIN, CHAT, "", TAGS),
    "Qwen3": (QWEN3, CHAT, "", TAGS),
    "Qwen3 thinking": (QWEN3_THINKING, f"{CHAT}<think>\n", "\n</think>\n\n", f"{THOUGHT}\n</think>\n\n"),
    "DeepSeek-R1": (R1, f"<U>{ASK}<A><think>\n", "\n</think>\n\n", f"{THOUGHT}\n</think>\n\n"),
    "GLM-4.5": (GLM, f"[gMASK]<sop><|user|>\n{ASK}<|assistant|>", "", f"\n<think>{THOUGHT}</think>\n"),
    "gpt-oss": (
        HARMONY,
        f"<|start|>user<|message|>{ASK}<|end|><|start|>assistant",
        "",
        f"<|channel|>analysis<|message|>{THOUGHT}<|end|><|start|>assistant<|channel|>final<|message|>",
    ),
    "Magistral": (MAGISTRAL, f"<s>[INST]{ASK}[/INST]", "", TAGS),
    "raises": (RAISES, f"<user>{ASK}<assistant>", "", TAGS),
}
"""Template, prompt, what closes an open thought, and the reasoning before the answer."""


@pytest.mark.parametrize("name", CASES)
def test_reasoning_is_left_out_part_of_the_prompt_or_scored(name: str) -> None:
    template, prompt, closing, thought = CASES[name]
    without = RowTexts(prompt + closing, ANSWER)
    assert texts(template, ScoredReasoning.ignore) == without
    assert texts(template, ScoredReasoning.context) == RowTexts(prompt + thought, ANSWER)
    assert texts(template, ScoredReasoning.both) == RowTexts(prompt, thought + ANSWER)
    for use in ScoredReasoning:
        for nothing in (None, "", " \n"):
            assert texts(template, use, nothing) == without


def test_an_empty_thought_of_the_generation_prompt_makes_room_for_the_real_one() -> None:
    prompt = f"{CHAT}<think>\n"
    assert texts(QWEN3_OFF, ScoredReasoning.ignore) == RowTexts(f"{prompt}\n</think>\n\n", ANSWER)
    thought = f"{THOUGHT}\n</think>\n\n"
    assert texts(QWEN3_OFF, ScoredReasoning.context) == RowTexts(prompt + thought, ANSWER)
    assert texts(QWEN3_OFF, ScoredReasoning.both) == RowTexts(prompt, thought + ANSWER)


@pytest.mark.parametrize("use", ScoredReasoning)
def test_the_template_decides_about_thoughts_of_earlier_turns_unless_they_are_ignored(
    use: ScoredReasoning,
) -> None:
    before = (Message("user", "Hi"), Message("assistant", "Hello", "A greeting."))
    prompt = texts(QWEN3, use, THOUGHT, *before).prompt
    assert ("A greeting." in prompt) == (use is not ScoredReasoning.ignore)
    assert "A greeting." not in texts(R1, use, THOUGHT, *before).prompt
    assert texts(Template.plain, use, None, *before).prompt == f"Hi\nHello\n{ASK}\n"


def test_a_system_turn_without_support_goes_before_the_first_user_turn() -> None:
    no_system = QWEN3.replace("{{ m.role }}", "{{ m.role if m.role != 'system' else raise_exception('no') }}")
    found = texts(no_system, ScoredReasoning.both, THOUGHT, Message("system", "Be brief."))
    assert found == RowTexts(CHAT.replace(ASK, f"Be brief.\n\n{ASK}"), TAGS + ANSWER)


@pytest.mark.parametrize("use", ScoredReasoning)
def test_a_blank_answer_stays_blank(use: ScoredReasoning) -> None:
    messages = (Message("user", ASK), Message("assistant", " ", THOUGHT))
    assert row_texts(messages, Template.plain, use, None).scored == " "


def test_an_answer_that_its_reasoning_repeats_is_found_at_its_own_place() -> None:
    thought = f"Say it: {ANSWER} Yes, {ANSWER}"
    found = texts(QWEN3, ScoredReasoning.context, thought)
    assert found == RowTexts(f"{CHAT}<think>\n{thought}\n</think>\n\n", ANSWER)


def test_the_reasoning_of_a_template_that_prints_the_date_is_the_same_on_another_day(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tokenizer = chat_tokenizer("{{ strftime_now('%d %b %Y') }}\n" + QWEN3)
    messages = (Message("user", ASK), Message("assistant", ANSWER, THOUGHT))
    found = []
    for day in (1, 2):
        set_date(monkeypatch, 2027, 1, day)
        found.append(row_texts(messages, Template.chat, ScoredReasoning.context, tokenizer))
    assert found[0] == found[1]
    assert found[0].prompt.startswith("26 Jul 2024\n")
    assert found[0].prompt.endswith(f"<think>\n{THOUGHT}\n</think>\n\n")
