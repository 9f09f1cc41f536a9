"""Rows as trainers, annotation tools and servers write them: the right meaning, or one clear line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from staragents.config import RowFormat, SeedsConfig
from staragents.data.readers.raw_row import InvalidRow
from staragents.data.readers.row_messages import RowReader
from staragents.data.seed_file import SeedFile

Q, A, B = "Name a colour.", "Blue.", "Red."
USER, ANSWER = {"role": "user", "content": Q}, {"role": "assistant", "content": A}
OTHER = {"role": "assistant", "content": B}
CHAT = [USER, ANSWER]
SAID = (("user", Q), ("assistant", A))
CALL = {"name": "paint", "arguments": "{}"}

SHAPES: dict[str, tuple[Any, tuple[tuple[str, str], ...]]] = {
    "a list of turns that is empty beside a pair": ({"messages": [], "instruction": Q, "output": A}, SAID),
    "an empty cell of turns": ({"messages": "", "instruction": Q, "output": A}, SAID),
    "an empty list beside a full one": ({"messages": [], "conversations": CHAT}, SAID),
    "an earlier turn not to train": (
        {"messages": [USER, {**OTHER, "training": False}, USER, {**ANSWER, "training": True}]},
        (("user", Q), ("assistant", B), *SAID),
    ),
    "langchain": ({"messages": [{"type": "human", "content": Q}, {"type": "ai", "content": A}]}, SAID),
    "langchain, dumped": (
        {"messages": [{"type": "human", "data": {"content": Q}}, {"type": "ai", "data": {"content": A}}]},
        SAID,
    ),
    "turns of one key": ({"conversation": [{"user": Q}, {"assistant": A}]}, SAID),
    "user and bot": ({"user": Q, "bot": A}, SAID),
    "turns of human and bot": ({"conversation": [{"human": Q, "bot": A}]}, SAID),
    "vertex": ({"input_text": Q, "output_text": A}, SAID),
    "squad": (
        {"question": Q, "context": "The sky.", "answers": {"text": [A], "answer_start": [0]}},
        (("user", f"{Q}\n\nThe sky."), ("assistant", A)),
    ),
    "squad with annotators who agree": ({"question": Q, "answers": {"text": [A, f"{A} "]}}, SAID),
    "a list of one answer": ({"instruction": Q, "output": [A]}, SAID),
    "a list of one answer in an instance": ({"instruction": Q, "instances": [{"output": [A]}]}, SAID),
    "turns in the instruction": (
        {"instruction": f"Human: Hello.\nAssistant: Hi.\nHuman: {Q}\nAssistant:", "input": "", "output": A},
        (("user", "Hello."), ("assistant", "Hi."), *SAID),
    ),
    "turns in the instruction with an input": (
        {"instruction": "Human: Hello.\nAssistant:", "input": Q, "output": A},
        (("user", f"Human: Hello.\nAssistant:\n\n{Q}"), ("assistant", A)),
    ),
    "functions": (
        {"messages": CHAT, "functions": [CALL]},
        (("system", f"Tools:\n{json.dumps([CALL])}"), *SAID),
    ),
    "an earlier call of a function": (
        {
            "messages": [
                USER,
                {"role": "assistant", "function_call": CALL},
                {"role": "function", "content": "done"},
                ANSWER,
                *CHAT,
            ]
        },
        (("user", Q), ("assistant", json.dumps(CALL)), ("user", "done"), ("assistant", A), *SAID),
    ),
    "a byte order mark in a name": ({"\ufeffinstruction": Q, "output": A}, SAID),
    "a row as JSON": (json.dumps({"instruction": Q, "output": A}), SAID),
    "a row of the hub's viewer": (
        {"row_idx": 0, "row": {"instruction": Q, "output": A}, "truncated_cells": []},
        SAID,
    ),
    "options in the question": (
        {"question": f"{Q} x or y?", "option_a": "x", "option_b": "y", "answer": A},
        (("user", f"{Q} x or y?"), ("assistant", A)),
    ),
    "a text in a column named correct": ({"question": Q, "answer": A, "correct": "Red"}, SAID),
    "a true answer": ({"problem": Q, "generated_solution": A, "is_correct": True}, SAID),
}


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_has_its_meaning(name: str) -> None:
    row, conversation = SHAPES[name]
    reader = RowReader(rewritable=name != "an earlier call of a function")
    for _ in range(2):
        assert tuple((turn.role, turn.content) for turn in reader.read(row)[1]) == conversation


LINES: dict[str, tuple[dict[str, Any], str]] = {
    **{
        f"an answer with {mark} false": (
            {"messages": [USER, {**ANSWER, mark: False}]},
            f"messages[1].{mark}: expected an answer to learn from, got False",
        )
        for mark in ("training", "train_on_turn", "trainable", "loss_mask", "loss_scale")
    },
    "a weight as text": (
        {"messages": [USER, {**ANSWER, "weight": "0"}]},
        "messages[1].weight: expected an answer to learn from, got '0'",
    ),
    "a wrong answer": (
        {"problem": Q, "generated_solution": B, "is_correct": False},
        "is_correct: expected a wanted answer, got False",
    ),
    "a wrong answer as text": (
        {"question": Q, "answer": B, "is_correct": "False"},
        "is_correct: expected a wanted answer",
    ),
    "options in columns": (
        {"question": Q, "A": "x", "B": "y", "C": "z", "D": "w", "answer": "B"},
        "A: expected a question that contains its choices, got a list of 4",
    ),
    "options in other columns": (
        {"Question": Q, "Option A": "x", "Option B": "y", "Answer": "B"},
        "Option A: expected a question that contains its choices, got a list of 2",
    ),
    "candidates": (
        {"instruction": Q, "generations": [A, B]},
        "got 'instruction', 'generations'",
    ),
    "annotators who differ": (
        {"question": Q, "answers": {"text": [A, B]}},
        "answers: expected text or a list",
    ),
    "a question without an answer": (
        {"question": Q, "answers": {"text": []}},
        "answers: expected text, got nothing",
    ),
    "calls as the answer": ({"query": Q, "answers": json.dumps([CALL])}, "response: expected the columns"),
    "only an empty list": (
        {"conversations": []},
        "conversations: expected a list of messages, got a list of 0",
    ),
    "a call at the end": (
        {"messages": [USER, {"role": "assistant", "function_call": CALL}]},
        "messages[1]: expected a last exchange without a tool",
    ),
}


@pytest.mark.parametrize("name", LINES)
def test_a_shape_without_a_meaning_has_one_line(name: str) -> None:
    row, line = LINES[name]
    with pytest.raises(InvalidRow) as caught:
        RowReader(rewritable=True).read(row)
    assert line in str(caught.value)
    assert "conversation?" not in str(caught.value)


def test_an_item_of_reasoning_is_the_thought_of_the_next_turn() -> None:
    thought = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "The sky."}]}
    row = {"input": [USER], "output": [thought, {"type": "message", **ANSWER}]}
    found, messages = RowReader(rewritable=True).read(row)
    assert found == RowFormat.prompt_completion
    assert (messages[-1].content, messages[-1].reasoning_content) == (A, "The sky.")


def seeds(path: Path) -> list[tuple[str, str]]:
    return [(seed.instruction, seed.response) for seed in SeedFile(SeedsConfig(path=str(path))).seeds()]


def test_bytes_in_parquet_are_text_if_they_are_utf8(tmp_path: Path) -> None:
    table = pa.table({"instruction": [Q.encode(), "Où ?".encode()], "output": [A.encode(), B.encode()]})
    pq.write_table(table, tmp_path / "rows.parquet")
    assert seeds(tmp_path) == [(Q, A), ("Où ?", B)]


def test_maps_in_parquet_are_turns(tmp_path: Path) -> None:
    turns = [[list(turn.items()) for turn in CHAT]]
    kind = pa.list_(pa.map_(pa.string(), pa.string()))
    pq.write_table(pa.table({"messages": pa.array(turns, kind)}), tmp_path / "rows.parquet")
    assert seeds(tmp_path) == [(Q, A)]


def test_options_in_parquet_are_seen(tmp_path: Path) -> None:
    rows = [{"question": Q, "answer": "B", "A": "x", "B": "y", "C": "z"}, {"question": Q, "answer": A}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "rows.parquet")
    file = SeedFile(SeedsConfig(path=str(tmp_path)))
    assert file.scan().reasons == {"A: expected a question that contains its choices": 1}
    assert seeds(tmp_path) == [(Q, A)]
