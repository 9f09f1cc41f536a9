"""Every common row format, recognised by its columns or named by the user."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from staragents.base.messages import Message
from staragents.config import ColumnsConfig, RowFormat, SeedsConfig
from staragents.data.readers.raw_row import InvalidRow
from staragents.data.readers.row_messages import RowReader
from staragents.data.seed_file import SeedFile
from tests.support.paths import SHARED

DEV = SHARED / "dev"
Q, A = "Name a colour.", "Blue."
SAID = (("user", Q), ("assistant", A))
EARLIER = (("user", "Hello."), ("assistant", "Hi."))


def turn(who: str, text: Any) -> dict[str, Any]:
    return {"from": who, "value": text}


def message(role: str, text: Any, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": text, **more}


def node(role: str, text: str, *replies: Any, **more: Any) -> dict[str, Any]:
    return {"role": role, "text": text, "replies": list(replies), **more}


ROWS = {
    "alpaca": ({"instruction": Q, "input": "", "output": A}, SAID, "alpaca"),
    "alpaca with input": (
        {"instruction": "Name it.", "input": "The sky", "output": A},
        (("user", "Name it.\n\nThe sky"), ("assistant", A)),
        "alpaca",
    ),
    "alpaca with a text of both": (
        {"instruction": Q, "input": None, "output": A, "prompt": f"### Instruction: {Q}", "text": "..."},
        SAID,
        "alpaca",
    ),
    "dolly": (
        {"instruction": Q, "context": "The sky", "response": A, "category": "x"},
        (("user", f"{Q}\n\nThe sky"), ("assistant", A)),
        "dolly",
    ),
    "question and answer": ({"id": 1, "question": Q, "answer": A}, SAID, "question_answer"),
    "query and response": ({"query": Q, "response": A, "type": "x"}, SAID, "question_answer"),
    "orca": (
        {"id": "1", "system_prompt": "Be brief.", "question": Q, "response": A},
        (("system", "Be brief."), *SAID),
        "question_answer",
    ),
    "prompt and completion": ({"prompt": Q, "completion": A}, SAID, "prompt_completion"),
    "lists of prompt and completion": (
        {"prompt": [message("user", Q)], "completion": [message("assistant", A)]},
        SAID,
        "prompt_completion",
    ),
    "input and output": ({"input": Q, "output": A}, SAID, "prompt_completion"),
    "preference": ({"prompt": Q, "chosen": A, "rejected": "No."}, SAID, "preference"),
    "preference with whole conversations": (
        {"prompt": Q, "chosen": [message("user", Q), message("assistant", A)], "rejected": []},
        SAID,
        "preference",
    ),
    "history of pairs": (
        {"instruction": Q, "input": "", "output": A, "history": [["Hello.", "Hi."]]},
        (*EARLIER, *SAID),
        "history",
    ),
    "empty history": ({"instruction": Q, "output": A, "history": []}, SAID, "history"),
    "history of messages": (
        {"prompt": Q, "response": A, "history": [message("user", "Hello."), message("assistant", "Hi.")]},
        (*EARLIER, *SAID),
        "history",
    ),
    "messages": ({"messages": [message("user", Q), message("assistant", A)]}, SAID, "messages"),
    "messages beside a prompt": (
        {
            "prompt": "x",
            "messages": [message("system", "Be kind."), message("user", Q), message("assistant", A)],
        },
        (("system", "Be kind."), *SAID),
        "messages",
    ),
    "messages in parts": (
        {"messages": [message("user", [{"type": "text", "text": Q}]), message("assistant", A)]},
        SAID,
        "messages",
    ),
    "messages whose structs have null fields": (
        {"messages": [{**message("user", Q), "from": None}, {**message("assistant", A), "tool_calls": None}]},
        SAID,
        "messages",
    ),
    "sharegpt": ({"id": "1", "conversations": [turn("human", Q), turn("gpt", A)]}, SAID, "sharegpt"),
    "sharegpt with a system column": (
        {"system": "Be brief.", "conversations": [turn("human", Q), turn("gpt", A)]},
        (("system", "Be brief."), *SAID),
        "sharegpt",
    ),
    "sharegpt with tools before": (
        {
            "conversations": [
                turn("human", "Weather?"),
                turn("function_call", '{"name": "weather"}'),
                turn("observation", "sunny"),
                turn("gpt", "It is sunny."),
                turn("human", Q),
                turn("gpt", A),
            ],
            "tools": '[{"name": "weather"}]',
        },
        (
            ("system", 'Tools:\n[{"name": "weather"}]'),
            ("user", "Weather?"),
            ("assistant", '{"name": "weather"}'),
            ("user", "sunny"),
            ("assistant", "It is sunny."),
            *SAID,
        ),
        "sharegpt",
    ),
    "openai tool calls": (
        {
            "messages": [
                message("user", "Weather?"),
                message("assistant", None, tool_calls=[{"function": {"name": "weather"}}]),
                message("tool", "sunny"),
                message("tool", "warm"),
                message("assistant", "Nice."),
                message("user", Q),
                message("assistant", A),
            ]
        },
        (
            ("user", "Weather?"),
            ("assistant", '[{"function": {"name": "weather"}}]'),
            ("user", "sunny\n\nwarm"),
            ("assistant", "Nice."),
            *SAID,
        ),
        "messages",
    ),
    "texts that take turns": ({"conversations": ["Hello.", "Hi.", Q, A]}, (*EARLIER, *SAID), "messages"),
    "turns of input and output": (
        {"conversation": [{"input": "Hello.", "output": "Hi."}, {"input": Q, "output": A}]},
        (*EARLIER, *SAID),
        "messages",
    ),
    "self-instruct": (
        {
            "id": "seed_task_0",
            "instruction": "Name it.",
            "instances": [{"input": "x", "output": ""}, {"input": "The sky", "output": A}],
        },
        (("user", "Name it.\n\nThe sky"), ("assistant", A)),
        "self_instruct",
    ),
    "tree": (
        {
            "message_tree_id": "1",
            "prompt": node(
                "prompter",
                "Hello.",
                node("assistant", "Go away.", rank=1),
                node(
                    "assistant",
                    "Hi.",
                    node("prompter", "Nobody answered this."),
                    node("prompter", Q, node("assistant", A)),
                    rank=0,
                ),
                node("assistant", "Deleted.", rank=-1, deleted=True),
                node("assistant", "Never ranked."),
            ),
        },
        (*EARLIER, *SAID),
        "tree",
    ),
    "two datasets in one table": (
        {"instruction": None, "output": None, "question": Q, "answer": A, "messages": None},
        SAID,
        "question_answer",
    ),
}


def read(value: Any, **settings: Any) -> tuple[str, tuple[tuple[str, str], ...]]:
    found, messages = RowReader(rewritable=True, **settings).read(value)
    assert all(isinstance(one, Message) for one in messages)
    return found, tuple((one.role, one.content) for one in messages)


@pytest.mark.parametrize("name", ROWS)
def test_a_row_is_recognised_by_its_columns(name: str) -> None:
    row, expected, found = ROWS[name]
    assert read(row) == (found, expected)


@pytest.mark.parametrize("name", ROWS)
def test_naming_the_format_reads_the_same(name: str) -> None:
    row, expected, found = ROWS[name]
    assert read(row, format=RowFormat(found)) == (found, expected)


@pytest.mark.parametrize(
    ("first", "second", "best"),
    [
        (1.0, 0.0, 1),
        (1, 0.0, 1),
        (float("nan"), 0.0, 1),
        (float("inf"), 2.0, 1),
        (0.5, 1.0, 1),
        (None, None, 0),
        (-1.0, None, 0),
    ],
)
def test_ranks_may_be_whole_numbers_with_a_point(first: Any, second: Any, best: int) -> None:
    replies = [node("assistant", text, rank=rank) for text, rank in (("0", first), ("1", second))]
    assert read({"prompt": node("prompter", Q, *replies)})[1][-1] == ("assistant", str(best))


def test_rows_do_not_depend_on_earlier_ones() -> None:
    reader = RowReader(rewritable=True)
    for row, expected, found in [*ROWS.values(), *ROWS.values()]:
        format_, messages = reader.read(row)
        assert (format_, tuple((one.role, one.content) for one in messages)) == (found, expected)


@pytest.mark.parametrize(
    ("row", "settings", "field", "words"),
    [
        ({"text": "### Human: x"}, {}, "instruction", "seeds.columns.instruction and seeds.columns.response"),
        ({"question": Q, "response": A, "answer": "B"}, {}, "response", "response, answer could each be"),
        ({"question": Q, "response": A, "answer": "B"}, {}, "response", "set seeds.columns.response"),
        ({"instruction": "Answer.", "question": Q, "answer": A}, {}, "instruction", "be the instruction"),
        (
            {"ask": Q, "reply": A},
            {"columns": ColumnsConfig(instruction="aks", response="reply")},
            "aks",
            "seeds.columns.instruction names, got 'ask', 'reply', did you mean 'ask'?",
        ),
        ({"chat": []}, {"columns": ColumnsConfig(messages="chats")}, "chats", "did you mean 'chat'?"),
        ({"question": Q, "answer": A}, {"format": RowFormat.alpaca}, "instruction", "expected the columns"),
        (
            {"question": Q, "answer": A},
            {"format": RowFormat.sharegpt},
            "messages",
            "got 'question', 'answer'",
        ),
        ({"prompt": Q, "completion": A}, {"format": RowFormat.tree}, "row", "prompt with replies"),
        ({"instruction": Q, "output": A}, {"format": RowFormat.history}, "history", "the column history"),
        ({"message_id": "1", "parent_id": None, "role": "prompter", "text": Q}, {}, "row", "whole trees"),
        (
            {"conversations": [turn("human", Q), turn("observation", "1"), turn("gpt", A)]},
            {},
            "conversations[2]",
            "expected a last exchange without a tool",
        ),
        ({"messages": [message("user", [{"type": "image_url"}])]}, {}, "messages[0].content", "'image_url'"),
        ({"prompt": node("prompter", Q)}, {}, "prompt", "expected a tree with a usable answer"),
        ({"instruction": Q, "instances": []}, {}, "instances", "expected instances with an output"),
        (
            {"instruction": Q, "output": A, "history": [["only one"]]},
            {},
            "history[0]",
            "a question and an answer",
        ),
        ({"instruction": Q, "output": {"text": A}}, {}, "output", "expected text, got an object"),
        ({"instruction": Q, "output": float("nan")}, {}, "output", "expected text, got nan"),
    ],
)
def test_an_ambiguous_row_names_columns_and_setting(
    row: dict[str, Any], settings: dict[str, Any], field: str, words: str
) -> None:
    with pytest.raises(InvalidRow) as caught:
        read(row, **settings)
    assert caught.value.problem.field == field
    assert words in caught.value.problem.message


def test_named_columns_win() -> None:
    row = {
        "instruction": "not this",
        "output": "nor this",
        "ask": Q,
        "reply": A,
        "sys": "Be kind.",
        "more": "",
    }
    columns = ColumnsConfig(instruction="ask", response="reply", system="sys", input="more")
    assert read(row, columns=columns)[1] == (("system", "Be kind."), *SAID)
    chat = {"chat": [turn("human", Q), turn("gpt", A)], "instruction": "x", "output": "y"}
    assert read(chat, columns=ColumnsConfig(messages="chat")) == ("sharegpt", SAID)


def test_null_and_nan_mean_no_input() -> None:
    for nothing in (None, float("nan"), "", " "):
        assert read({"instruction": Q, "input": nothing, "output": A})[1] == SAID


def test_every_format_has_rows_here() -> None:
    assert {found for _, _, found in ROWS.values()} == {*RowFormat} - {RowFormat.auto}


@pytest.mark.skipif(not DEV.is_dir(), reason="the shared datasets are not there")
@pytest.mark.parametrize("path", sorted(DEV.glob("*")) if DEV.is_dir() else [], ids=lambda path: path.name)
def test_every_row_of_a_real_dataset_is_used_or_has_a_reason(path: Path) -> None:
    file = SeedFile(SeedsConfig(path=str(path)))
    scan = file.scan()
    rows = sum(1 for _ in file.seeds()) + sum(1 for _ in file.bad_rows()) + scan.duplicates
    import gzip

    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    raw = json.loads(text) if text.lstrip().startswith(b"[") else text.splitlines()
    assert rows == scan.seeds + scan.bad_rows + scan.duplicates == len(raw)
    assert sum(scan.reasons.values()) == scan.bad_rows
    # Conversations that end with a tool's answer are a third of one of these.
    assert scan.bad_rows <= (0.34 if "toolcall" in path.name else 0.001) * len(raw)
