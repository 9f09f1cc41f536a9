"""Conversations that are one text in the format of a chat template."""

from __future__ import annotations

from typing import Any

import pytest

from staragents.data.readers.chat_markup import marked_turns, without_end
from staragents.data.readers.raw_row import InvalidRow
from staragents.data.readers.row_messages import RowReader
from tests.support.growth import assert_linear

BAR, BLOCK = "\uff5c", "\u2581"
SYSTEM, SAID, MORE = (
    ("system", "S"),
    (("user", "Q"), ("assistant", "A")),
    (("user", "Q2"), ("assistant", "A2")),
)

TEMPLATES: dict[str, tuple[str, tuple[tuple[str, str], ...]]] = {
    "chatml": (
        "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\nA<|im_end|>\n",
        (SYSTEM, *SAID),
    ),
    "llama 3": (
        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nS<|eot_id|><|start_header_id|>user"
        "<|end_header_id|>\n\nQ<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nA<|eot_id|>",
        (SYSTEM, *SAID),
    ),
    "llama 4": (
        "<|begin_of_text|><|header_start|>user<|header_end|>\n\nQ<|eot|><|header_start|>assistant<|header_end|>"
        "\n\nA<|eot|>",
        SAID,
    ),
    "llama 2": (
        "<s>[INST] <<SYS>>\nS\n<</SYS>>\n\nQ [/INST] A </s><s>[INST] Q2 [/INST] A2 </s>",
        (SYSTEM, *SAID, *MORE),
    ),
    "mistral": ("<s>[INST]Q[/INST]A</s>", SAID),
    "gemma": ("<bos><start_of_turn>user\nQ<end_of_turn>\n<start_of_turn>model\nA<end_of_turn>\n", SAID),
    "zephyr": ("<|system|>\nS</s>\n<|user|>\nQ</s>\n<|assistant|>\nA</s>", (SYSTEM, *SAID)),
    "phi": ("<|user|>\nQ<|end|>\n<|assistant|>\nA<|end|>\n<|endoftext|>", SAID),
    "deepseek": (
        f"<{BAR}begin{BLOCK}of{BLOCK}sentence{BAR}><{BAR}User{BAR}>Q<{BAR}Assistant{BAR}>A"
        f"<{BAR}end{BLOCK}of{BLOCK}sentence{BAR}>",
        SAID,
    ),
    "alpaca": ("Below is an instruction.\n\n### Instruction:\nQ\n\n### Response:\nA</s>", SAID),
    "alpaca with input": (
        "Below is an instruction.\n\n### Instruction:\nQ\n\n### Input:\nI\n\n### Response:\nA",
        (("user", "Q\n\nI"), ("assistant", "A")),
    ),
    "alpaca with an empty input": (
        "Below is an instruction, paired with an input.\n\n### Instruction:\nQ\n\n### Input:\n\n\n### "
        "Response:\nA",
        SAID,
    ),
    "smaller headings": (
        "### Instruction:\nQ\n\n### Response:\nA\n\n#### Response: B",
        (("user", "Q"), ("assistant", "A\n\n#### Response: B")),
    ),
    "guanaco": ("### Human: Q### Assistant: A### Human: Q2### Assistant: A2", (*SAID, *MORE)),
    "vicuna": (
        "A chat between two. USER: Q ASSISTANT: A</s>USER: Q2 ASSISTANT: A2</s>",
        (("system", "A chat between two."), *SAID, *MORE),
    ),
    "magistral": (
        "<s>[SYSTEM_PROMPT]S[/SYSTEM_PROMPT][INST]Q[/INST]A</s>",
        (SYSTEM, *SAID),
    ),
    "granite": (
        "<|start_of_role|>user<|end_of_role|>Q<|end_of_text|>\n<|start_of_role|>assistant<|end_of_role|>A"
        "<|end_of_text|>",
        SAID,
    ),
    "deepseek with a system prompt": (
        f"<{BAR}begin{BLOCK}of{BLOCK}sentence{BAR}>S<{BAR}User{BAR}>Q<{BAR}Assistant{BAR}>A"
        f"<{BAR}end{BLOCK}of{BLOCK}sentence{BAR}>",
        (SYSTEM, *SAID),
    ),
    "orca mini": ("### System:\nS\n\n### Instruction:\nQ\n\n### Response:\nA", (SYSTEM, *SAID)),
    "dolly": ("### Instruction:\nQ\n\n### Response:\nA\n\n### End", SAID),
    "alpaca in several turns": (
        "### Instruction:\nQ\n\n### Response:\nA</s>### Instruction:\nQ2\n\n### Response:\nA2</s>",
        (*SAID, *MORE),
    ),
    "headings in an answer": (
        "### Instruction:\nQ\n\n### Response:\nA\n\n### Input:\nI\n\n### System: L",
        (("user", "Q"), ("assistant", "A\n\n### Input:\nI\n\n### System: L")),
    ),
    "system and developer": (
        "<|start|>system<|message|>S<|end|><|start|>developer<|message|>D<|end|><|start|>user<|message|>Q"
        "<|end|><|start|>assistant<|channel|>final<|message|>A<|return|>",
        (("system", "S\n\nD"), *SAID),
    ),
    "speakers": ("Human: Q\n\nAssistant: A\n\nHuman: Q2\n\nAssistant: A2", (*SAID, *MORE)),
}


OTHER_ENDS = (
    "llama 2",
    "vicuna",
    "headings in an answer",
    "smaller headings",
    "alpaca in several turns",
    "system and developer",
)
"""Their last turn is none of an A alone."""


def read(row: dict[str, Any], rewritable: bool = True) -> tuple[tuple[str, str], ...]:
    _, messages = RowReader(rewritable=rewritable).read(row)
    return tuple((turn.role, turn.content) for turn in messages)


@pytest.mark.parametrize("column", ["text", "messages", "conversation", "chosen"])
@pytest.mark.parametrize("name", TEMPLATES)
def test_a_text_in_a_template_is_a_conversation(name: str, column: str) -> None:
    text, said = TEMPLATES[name]
    assert read({column: text, "id": 3}) == said


@pytest.mark.parametrize(
    "name",
    [name for name in TEMPLATES if not TEMPLATES[name][0].endswith(("A2", "I")) and name not in OTHER_ENDS],
)
def test_a_prompt_in_a_template_is_the_turns_before_the_answer(name: str) -> None:
    text, said = TEMPLATES[name]
    before, after = text.rsplit("A", 1)
    for asked, answered in (("prompt", "completion"), ("prompt", "chosen"), ("instruction", "output")):
        assert read({asked: before, answered: f"A{after}"}) == said


def test_thoughts_in_a_template_are_those_of_the_answer() -> None:
    harmony = (
        "<|start|>user<|message|>Q<|end|><|start|>assistant<|channel|>analysis<|message|>T<|end|>"
        "<|start|>assistant<|channel|>final<|message|>A<|return|>"
    )
    opened = "<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n<think>\n"
    begun, _, rest = harmony.partition("<|channel|>")
    for row in (
        {"text": harmony},
        {"prompt": begun, "completion": f"<|channel|>{rest}"},
        {
            "prompt": f"{begun}<|channel|>analysis<|message|>",
            "completion": rest.removeprefix("analysis<|message|>"),
        },
        {"prompt": opened, "completion": "T\n</think>\n\nA<|im_end|>"},
        {"text": "<s>[INST]Q[/INST][THINK]T[/THINK]A</s>"},
    ):
        _, messages = RowReader(rewritable=True).read(row)
        assert [(turn.content, turn.reasoning_content) for turn in messages] == [("Q", None), ("A", "T")]


def test_calls_of_harmony_are_turns_of_a_tool() -> None:
    text = (
        "<|start|>user<|message|>Q<|end|><|start|>assistant<|channel|>analysis<|message|>T<|end|><|start|>"
        'assistant<|channel|>commentary to=functions.f <|constrain|>json<|message|>{"a": 1}<|call|><|start|>'
        "functions.f to=assistant<|channel|>commentary<|message|>3<|end|><|start|>assistant<|channel|>final"
        "<|message|>A<|return|>"
    )
    said = (("user", "Q"), ("assistant", 'functions.f {"a": 1}'), ("user", "3"), ("assistant", "A"))
    assert read({"text": text}, rewritable=False) == said


def test_results_of_functions_are_turns_of_a_tool() -> None:
    text = (
        "USER: Q\n\n\nASSISTANT: f() <|endoftext|>\n\n\nFUNCTION RESPONSE: 3\n\n\nASSISTANT: A <|endoftext|>"
    )
    said = (("user", "Q"), ("assistant", "f()"), ("user", "3"), ("assistant", "A"))
    assert read({"text": text}, rewritable=False) == said
    with pytest.raises(InvalidRow, match="expected a last exchange without a tool"):
        read({"text": text})


@pytest.mark.parametrize(
    "text",
    [
        "Once upon a time <|im_start|>user\nQ",
        "### Instruction: Do this.\n### Input: That.\nDone?",
        "### Question: Q\nA",
        "<s>Q</s>",
        "USER: is a word in capitals.",
        "<|im_start|>user\nQ<|im_end|>\nWhich format is this?",
        "<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\nA<|im_end|>\nRate it.",
        "[INST]Q[/INST][TOOL_CALLS][{}]</s>[TOOL_RESULTS]3[/TOOL_RESULTS]A</s>",
        "### Instruction:\nExplain it.\n\n### Response:\nSo:\n\n### Instruction:\nQ\n\n### Response:\nA",
    ],
)
def test_other_texts_stay_what_they_are(text: str) -> None:
    assert read({"instruction": text, "output": "A"}) == (("user", text), ("assistant", "A"))
    with pytest.raises(InvalidRow, match="expected the columns of a known format"):
        read({"text": text})


@pytest.mark.parametrize(
    "columns", [("instruction", "output"), ("prompt", "completion"), ("prompt", "chosen")]
)
@pytest.mark.parametrize("name", ["chatml", "alpaca", "mistral", "guanaco", "speakers"])
def test_an_answer_about_templates_stays_what_it_is(name: str, columns: tuple[str, str]) -> None:
    text, _ = TEMPLATES[name]
    assert read(dict(zip(columns, ("Show it.", text), strict=True))) == (
        ("user", "Show it."),
        ("assistant", text),
    )


def test_the_error_says_that_a_text_is_no_conversation() -> None:
    with pytest.raises(InvalidRow, match="'text' holds no conversation in a known chat template"):
        read({"text": "Once upon a time."})


@pytest.mark.parametrize(
    ("start", "unit", "end"),
    [
        ("<|im_start|>user\nQ", " ", "x"),
        ("[INST] <<SYS>>", " ", "x [/INST]"),
        ("", "\n", "x"),
        ("### Human: ", "### ", "x"),
        ("", "</s>", "x"),
        ("x", "</s>", ""),
    ],
    ids=["spaces", "system", "lines", "headings", "ends within", "ends"],
)
def test_a_long_text_takes_linear_time(start: str, unit: str, end: str) -> None:
    for read in (marked_turns, without_end):
        assert_linear(lambda size, read=read: read(start + unit * size + end), 50_000 // len(unit))
