"""Conversations that are one text in the format of a chat template."""

from __future__ import annotations

import time
from typing import Any

import pytest

from staragents.data.readers.chat_markup import marked_turns, without_end
from staragents.data.readers.raw_row import InvalidRow
from staragents.data.readers.row_messages import RowReader

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
    "guanaco": ("### Human: Q### Assistant: A### Human: Q2### Assistant: A2", (*SAID, *MORE)),
    "vicuna": (
        "A chat between two. USER: Q ASSISTANT: A</s>USER: Q2 ASSISTANT: A2</s>",
        (("system", "A chat between two."), *SAID, *MORE),
    ),
    "speakers": ("Human: Q\n\nAssistant: A\n\nHuman: Q2\n\nAssistant: A2", (*SAID, *MORE)),
}


def read(row: dict[str, Any], rewritable: bool = True) -> tuple[tuple[str, str], ...]:
    _, messages = RowReader(rewritable=rewritable).read(row)
    return tuple((turn.role, turn.content) for turn in messages)


@pytest.mark.parametrize("column", ["text", "messages", "conversation", "chosen"])
@pytest.mark.parametrize("name", TEMPLATES)
def test_a_text_in_a_template_is_a_conversation(name: str, column: str) -> None:
    text, said = TEMPLATES[name]
    assert read({column: text, "id": 3}) == said


@pytest.mark.parametrize(
    "name", [name for name in TEMPLATES if name not in ("guanaco", "llama 2", "vicuna", "speakers")]
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
    for row in ({"text": harmony}, {"prompt": opened, "completion": "T\n</think>\n\nA<|im_end|>"}):
        _, messages = RowReader(rewritable=True).read(row)
        assert [(turn.content, turn.reasoning_content) for turn in messages] == [("Q", None), ("A", "T")]


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
    ],
)
def test_other_texts_stay_what_they_are(text: str) -> None:
    assert read({"instruction": text, "output": "A"}) == (("user", text), ("assistant", "A"))
    with pytest.raises(InvalidRow, match="expected the columns of a known format"):
        read({"text": text})


def test_an_answer_about_templates_stays_what_it_is() -> None:
    text, _ = TEMPLATES["chatml"]
    assert read({"instruction": "Show it.", "output": text}) == (("user", "Show it."), ("assistant", text))


@pytest.mark.parametrize(
    "text",
    [
        "<|im_start|>user\nQ" + " " * 200_000 + "x",
        "[INST] <<SYS>>" + " " * 200_000 + "x [/INST]",
        "\n" * 200_000 + "x",
        "### Human: " + "### " * 50_000 + "x",
        "</s>" * 50_000 + "x",
        "x" + "</s>" * 50_000,
    ],
    ids=["spaces", "system", "lines", "headings", "ends within", "ends"],
)
def test_a_long_text_takes_linear_time(text: str) -> None:
    start = time.process_time()
    marked_turns(text)
    without_end(text)
    assert time.process_time() - start < 2
