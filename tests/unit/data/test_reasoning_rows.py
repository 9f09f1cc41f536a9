"""Thoughts in rows of any shape become `reasoning_content`; no answer keeps one."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staragents.base.messages import Message
from staragents.config import ColumnsConfig, SeedsConfig
from staragents.data.readers.raw_row import InvalidRow
from staragents.data.readers.row_messages import RowReader
from staragents.data.readers.thinking import Spoken, spoken
from staragents.data.seed_file import SeedFile

Q, T, A = "What is 2 + 2?", "Two and two\nmake four.", "It is 4."
USER = {"role": "user", "content": Q}

TEXTS = {
    "think": f"<think>\n{T}\n</think>\n\n{A}",
    "think without lines": f"<think>{T}</think>{A}",
    "think in capitals": f"<THINK>{T}</THINK>{A}",
    "the template's think": f"{T}\n</think>\n\n{A}",
    "thought": f"<thought>{T}</thought>\n{A}",
    "thinking and output": f"<thinking>{T}</thinking>\n\n<output>\n{A}\n</output>",
    "reasoning and answer": f"<reasoning>\n{T}\n</reasoning>\n<answer>\n{A}\n</answer>",
    "seed": f"<seed:think>{T}</seed:think>{A}",
    "open thoughts": (
        f"<|begin_of_thought|>\n\n{T}\n\n<|end_of_thought|>\n\n"
        f"<|begin_of_solution|>\n\n{A}\n\n<|end_of_solution|>"
    ),
    "command": f"<|START_THINKING|>{T}<|END_THINKING|><|START_RESPONSE|>{A}<|END_RESPONSE|>",
    "magistral": f"[THINK]{T}[/THINK]{A}",
    "kimi": f"◁think▷{T}◁/think▷{A}",
    "medgemma": f"<unused94>thought\n{T}<unused95>{A}",
    "harmony": (
        f"<|channel|>analysis<|message|>{T}<|end|><|start|>assistant<|channel|>final<|message|>{A}<|return|>"
    ),
    "harmony with its start": (
        f"<|start|>assistant<|channel|>analysis<|message|>{T}<|end|>"
        f"<|start|>assistant<|channel|>final<|message|>{A}"
    ),
    "harmony without its marks": f"analysis{T}assistantfinal{A}",
    "granite": f"Here is my thought process:\n\n{T}\n\nHere is my response:\n\n{A}",
    "open web ui": (
        '<details type="reasoning" done="true" duration="3">\n<summary>Thought for 3 seconds</summary>\n'
        f"> {T.replace(chr(10), chr(10) + '> ')}\n</details>\n{A}"
    ),
    "a tag with attributes": f'<think lang="en">{T}</think>{A}',
    "one in another": f"<think><think>{T}</think></think>{A}",
    "two thoughts": f"<think>Two and two</think><think>{T}</think>\n{A}",
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_thought_is_apart_from_its_answer(name: str) -> None:
    said = spoken(TEXTS[name])
    thought = f"Two and two\n\n{T}" if name == "two thoughts" else T
    assert (said.content, said.reasoning, said.is_cut) == (A, thought, False)


def test_a_thought_further_on_is_taken_out() -> None:
    said = spoken(f"Sure.\n<think>{T}</think>\n{A}")
    assert (said.content, said.reasoning) == (f"Sure.\n{A}", T)


@pytest.mark.parametrize(
    "text",
    [
        A,
        "Use the `<think>` tag, then `</think>`, before the answer.",
        "The model writes <think>...</think> first.",
        "```\n<think>\nhm\n</think>\n```\nis what it prints.",
        "</b> closes <b>.",
        "analysis of variance, final",
        "Here is my thought: no.",
        "[1, 2] and <answer>4</answer>",
        "  indented\n",
        "if (a <b> c)",
    ],
)
def test_a_text_about_thoughts_stays_as_it_is(text: str) -> None:
    assert spoken(text) == Spoken(text)


@pytest.mark.parametrize(
    "text", ["<think>", f"<think>\n{T}", f"<reasoning>{T}", "<|channel|>analysis<|message|>hm", "[THINK] hm"]
)
def test_a_thought_without_an_end_has_no_answer(text: str) -> None:
    assert spoken(text).is_cut
    for row in (
        {"instruction": Q, "output": text},
        {"messages": [USER, {"role": "assistant", "content": text}]},
    ):
        for may_be_blank in (False, True):
            with pytest.raises(
                InvalidRow, match="expected an answer after the thought, got a thought without"
            ):
                RowReader(may_be_blank=may_be_blank).read(row)


def test_a_thought_without_an_answer_is_a_bad_row() -> None:
    with pytest.raises(InvalidRow, match="output: expected an answer after the thought, got nothing"):
        RowReader().read({"instruction": Q, "output": f"<think>{T}</think>\n"})
    with pytest.raises(InvalidRow, match="answer after the thought, got nothing"):
        RowReader().read({"messages": [USER, {"role": "assistant", "content": "", "reasoning_content": T}]})
    _, messages = RowReader(may_be_blank=True).read({"instruction": Q, "output": f"<think>{T}</think>\n"})
    assert messages[-1] == Message("assistant", "", T)


def test_a_turn_of_a_thought_alone_is_no_answer() -> None:
    turns = [USER, {"role": "reasoning", "content": T}]
    with pytest.raises(InvalidRow, match=r"messages\[1\]: expected an answer after the thought, got nothing"):
        RowReader().read({"messages": turns})


@pytest.mark.parametrize("thought", ["<think>\n\n</think>\n\n", "</think>\n\n", "<think></think>"])
def test_an_empty_thought_is_none(thought: str) -> None:
    _, messages = RowReader().read({"instruction": Q, "output": f"{thought}{A}"})
    assert messages == (Message("user", Q), Message("assistant", A))


TAG = re.compile(r"</?think[^>]*>|<\|think\|>", re.IGNORECASE)
PIECES = ["<think>", "</think>", "<think", "think>", "\n", "\n\n", " ", "`", "```\n", "- ", "word"]


@given(
    st.text(alphabet="<>/think \n[]TH`analysis|", max_size=80)
    | st.lists(st.sampled_from(PIECES)).map("".join)
)
def test_a_text_without_a_tag_stays_as_it_is(text: str) -> None:
    if not TAG.search(text):
        assert spoken(text) == Spoken(text)


@given(st.lists(st.sampled_from(PIECES), max_size=20))
def test_no_word_is_lost_and_none_is_in_both_parts(pieces: list[str]) -> None:
    text = "".join(f" word{n} " if piece == "word" else piece for n, piece in enumerate(pieces))
    said = spoken(text)
    words = re.compile(r"word\d+").findall
    assert sorted(words(said.content) + words(said.reasoning or "")) == sorted(words(text))
    assert said.reasoning is None or said.reasoning.strip()
    assert not (said.is_cut and said.content)


def assistant(**more: Any) -> dict[str, Any]:
    return {"messages": [USER, {"role": "assistant", "content": A, **more}]}


ROWS: dict[str, dict[str, Any]] = {
    "in the answer": {"instruction": Q, "output": f"<think>{T}</think>{A}"},
    "in a completion": {"prompt": [USER], "completion": [{"role": "assistant", "content": TEXTS["think"]}]},
    "in sharegpt": {
        "conversations": [{"from": "human", "value": Q}, {"from": "gpt", "value": TEXTS["open thoughts"]}]
    },
    "reasoning_content": assistant(reasoning_content=T),
    "reasoning": assistant(reasoning=T, reasoning_content=None),
    "thinking": assistant(thinking=T),
    "details of a server": assistant(reasoning_details=[{"type": "reasoning.text", "text": T}]),
    "an object": assistant(reasoning={"content": T}),
    "thoughts": assistant(thoughts=T),
    "a column of thoughts": {"question": Q, "thought_process": T, "answer": A},
    "the same in two places": assistant(content=TEXTS["think"], reasoning_content=T),
    "parts of a thought": assistant(
        content=[{"type": "thinking", "thinking": T, "signature": "x"}, {"type": "text", "text": A}]
    ),
    "magistral's parts": assistant(
        content=[{"type": "thinking", "thinking": [{"type": "text", "text": T}]}, {"type": "text", "text": A}]
    ),
    "parts of an item": assistant(
        content=[{"type": "reasoning", "summary": [{"type": "summary_text", "text": T}]}, {"text": A}]
    ),
    "beside messages": {**assistant(), "thinking": T},
    "dolphin": {"messages": [USER], "reasoning": T, "answer": A, "model": "x"},
    "columns of reasoning and solution": {"problem": Q, "reasoning": T, "solution": A},
    "a column of the response's thought": {"instruction": Q, "response": A, "response_reasoning": T},
    "medical": {"Question": Q, "Complex_CoT": T, "Response": A},
    "a column with tags": {"question": Q, "thinking": f"<think>{T}</think>", "answer": A},
    "distilled": {"input": Q, "reasoning_content": T, "content": A, "score": 9},
    "s1": {"question": Q, "solution": "4", "cot": None, "thinking_trajectories": [T], "attempt": A},
    "s1 without an attempt": {"question": Q, "solution": A, "thinking_trajectories": [T]},
    "metadata of open thoughts": {
        "problem": Q,
        "deepseek_reasoning": T,
        "deepseek_solution": A,
        "ground_truth_solution": "4",
    },
    "gpt-oss": {
        "reasoning_language": "French",
        "user": Q,
        "analysis": T,
        "final": A,
        "messages": [{**USER, "thinking": None}, {"role": "assistant", "content": A, "thinking": T}],
    },
    "turns of reasoning": {
        "messages": [USER, {"role": "reasoning", "content": T}, {"role": "assistant", "content": A}]
    },
    "turns of channels": {
        "messages": [
            USER,
            {"role": "assistant", "channel": "analysis", "content": T},
            {"role": "assistant", "channel": "final", "content": A},
        ]
    },
    "columns of user, reasoning and assistant": {"user": Q, "reasoning": T, "assistant": A, "template": "x"},
    "interactions": {"interactions": [{"query": Q, "think": T, "answer": A}]},
    "kto": {"prompt": Q, "completion": TEXTS["think"], "label": True},
    "chosen": {"chosen": [USER, {"role": "assistant", "content": TEXTS["think"]}], "rejected": []},
}


@pytest.mark.parametrize("name", ROWS)
def test_every_shape_keeps_the_thought_apart(name: str) -> None:
    _, messages = RowReader(rewritable=True).read(ROWS[name])
    assert messages == (Message("user", Q), Message("assistant", A, T))


@pytest.mark.parametrize(
    "value",
    ["on", "off", "high", "minimal", "Enabled", "detailed", "N/A", None, "", True, 3, {"effort": "low"}, []],
)
def test_a_switch_of_reasoning_is_no_thought(value: Any) -> None:
    for row in ({"question": Q, "reasoning": value, "answer": A}, assistant(reasoning=value)):
        assert RowReader().read(row)[1] == (Message("user", Q), Message("assistant", A))


def test_earlier_answers_keep_their_thoughts_apart_too() -> None:
    turns = [
        USER,
        {"role": "assistant", "content": TEXTS["think"]},
        USER,
        {"role": "assistant", "content": A},
    ]
    assert RowReader().read({"messages": turns})[1][1] == Message("assistant", A, T)
    row = {"instruction": Q, "output": A, "history": [[Q, TEXTS["think"]]]}
    assert RowReader().read(row)[1][1] == Message("assistant", A, T)


def test_what_the_user_says_about_thoughts_stays() -> None:
    asked = f"<think>{T}</think> is what?"
    assert RowReader().read({"instruction": asked, "output": A})[1][0].content == asked


@pytest.mark.parametrize(
    ("row", "line"),
    [
        (
            {"question": Q, "reasoning": T, "cot": "Else.", "answer": A},
            "reasoning, cot could each be the reasoning: set seeds.columns.reasoning to one, or to nothing",
        ),
        (
            {"question": Q, "solution": A, "thinking_trajectories": [T, "Else."]},
            "thinking_trajectories: expected one thought, got a list of 2: set seeds.columns.reasoning",
        ),
        (
            {
                "question": Q,
                "deepseek_thinking_trajectory": T,
                "deepseek_attempt": A,
                "gemini_thinking_trajectory": T,
                "gemini_attempt": "Four.",
            },
            "deepseek_attempt, gemini_attempt could each be the response: set seeds.columns.response",
        ),
        ({"question": Q, "reasoning": "x" * 200, "answer": A}, "reasoning: expected at most 100 characters"),
        ({"question": Q, "reasoning": "\ud83d", "answer": A}, "reasoning: expected text, got the unpaired"),
    ],
)
def test_a_thought_that_cannot_be_told_has_one_line(row: dict[str, Any], line: str) -> None:
    with pytest.raises(InvalidRow) as caught:
        RowReader(max_chars=100).read(row)
    assert line in str(caught.value)


def test_named_columns_decide() -> None:
    row = {"question": Q, "reasoning": T, "why": "Else.", "answer": A}
    for name, thought in (("why", "Else."), ("reasoning", T), ("", None)):
        messages = RowReader(ColumnsConfig(reasoning=name)).read(row)[1]
        assert messages[-1] == Message("assistant", A, thought)
    two = {"question": Q, "gemini_attempt": "Four.", "gemini_thinking_trajectory": "Else.", "cot": "No."}
    two |= {"deepseek_attempt": A, "deepseek_thinking_trajectory": T}
    messages = RowReader(ColumnsConfig(response="deepseek_attempt")).read(two)[1]
    assert messages[-1] == Message("assistant", A, T)


def test_seeds_with_reasoning_are_counted_and_differ_by_it(tmp_path: Path) -> None:
    path = tmp_path / "seeds.jsonl"
    rows = [
        assistant(),
        assistant(thinking=T),
        assistant(reasoning=T),
        assistant(thinking="Else."),
        *ROWS.values(),
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    file = SeedFile(SeedsConfig(path=str(path)))
    scan = file.scan()
    assert (scan.seeds, scan.bad_rows, scan.with_reasoning) == (3, 0, 2)
    assert scan.duplicates == len(rows) - 3
    assert len({seed.seed_id for seed in file.seeds()}) == 3


def test_the_id_of_a_seed_without_reasoning_is_that_of_earlier_versions(tmp_path: Path) -> None:
    path = tmp_path / "seeds.jsonl"
    path.write_text(json.dumps({"instruction": "a", "output": "b"}))
    (seed,) = SeedFile(SeedsConfig(path=str(path))).seeds()
    assert seed.seed_id == "b4829495-b7eb-59f7-889b-b779ff6fd1de"
