"""Rows that lost a part of their meaning, or were refused, and their brothers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from staragents.config import ColumnsConfig, RowFormat
from staragents.data.readers.raw_row import InvalidRow
from staragents.data.readers.row_messages import RowReader
from tests.support.read_row import read_row
from tests.support.wild_turns import ANSWER, EARLIER, GREETING, SAID, USER, A, B, Q, about

ROWS: dict[str, tuple[Any, tuple[tuple[str, str], ...]]] = {
    "an empty instruction": ({"instruction": " ", "input": Q, "output": A}, SAID),
    "no instruction": ({"instruction": None, "input": Q, "output": A}, SAID),
    "no input, said so": ({"instruction": Q, "input": "<noinput>", "output": A}, SAID),
    "an empty input beside a context": (
        {"instruction": Q, "input": "", "context": "I", "output": A},
        about("I"),
    ),
    "the same input twice": ({"instruction": Q, "input": "I", "context": "I ", "output": A}, about("I")),
    "inputs": ({"instruction": Q, "inputs": "I", "targets": A}, about("I")),
    "a context of several texts": ({"question": Q, "context": ["I", "I2"], "answer": A}, about("I\n\nI2")),
    "a document": ({"instruction": Q, "document": "I", "output": A}, about("I")),
    "passages": ({"query": Q, "passages": ["I", "I2"], "response": A}, about("I\n\nI2")),
    "a document within the prompt": (
        {"prompt": f"I\n{Q}", "document": "I", "completion": A},
        (
            ("user", f"I\n{Q}"),
            ("assistant", A),
        ),
    ),
    "passages that are no text": ({"query": Q, "passages": {"text": ["I"]}, "answers": [A]}, SAID),
    "a prompt that repeats the question": ({"prompt": f"Answer this: {Q}", "question": Q, "answer": A}, SAID),
    "a list of one instruction": ({"Definition": [Q], "input": "I", "output": [A]}, about("I")),
    "chat_history": ({"chat_history": GREETING, "question": Q, "answer": A}, (*EARLIER, *SAID)),
    "history of texts": ({"history": ["Hello.", "Hi."], "query": Q, "response": A}, (*EARLIER, *SAID)),
    "earlier turns as context": ({"context": GREETING, "question": Q, "answer": A}, (*EARLIER, *SAID)),
    "turns that repeat the instruction": ({"instruction": Q, "conversations": [USER, ANSWER]}, SAID),
    "pairs of instruction and response": ({"conversation": [{"instruction": Q, "response": A}]}, SAID),
    "pairs with an empty key": ({"conversation": [{"instruction": Q, "input": "", "output": A}]}, SAID),
    "pairs of q and a": (
        {"conversations": [{"q": "Hello.", "a": "Hi."}, {"q": Q, "a": A}]},
        (*EARLIER, *SAID),
    ),
    "pairs as lists": ({"conversations": [["Hello.", "Hi."], [Q, A]]}, (*EARLIER, *SAID)),
    "turns as lists": ({"messages": [["human", Q], ["ai", A]]}, SAID),
    "contents of one text": (
        {"messages": [{**USER, "content": [Q]}, {**ANSWER, "content": {"text": A}}]},
        SAID,
    ),
    "contents of a chat export": (
        {"messages": [{**USER, "content": {"content_type": "text", "parts": [Q]}}, ANSWER]},
        SAID,
    ),
    "turns beside the same chosen ones": (
        {"messages": [USER, ANSWER], "chosen": [USER, ANSWER], "rejected": [USER, {**ANSWER, "content": B}]},
        SAID,
    ),
    "chosen_conversations": (
        {"rejected_conversations": [USER, {**ANSWER, "content": B}], "chosen_conversations": [USER, ANSWER]},
        SAID,
    ),
    "the first exchange of a chain": ({"instruction": Q, "output": A, "id": 1, "parent_id": None}, SAID),
    "names in camel case": (
        {"systemPrompt": "Be brief.", "chatHistory": GREETING, "userQuery": "", "query": Q, "Response": A},
        (("system", "Be brief."), *EARLIER, *SAID),
    ),
    "a text beside empty columns": (
        {"text": f"### Human: {Q}### Assistant: {A}", "prompt": None, "chosen": "", "conversations": []},
        SAID,
    ),
    "an object of messages": ({"conversation": {"messages": [USER, ANSWER]}}, SAID),
    "a row within a row": ({"id": 7, "data": {"prompt": Q, "response": A}, "annotations": []}, SAID),
    "turns within a row": ({"__key__": "1", "json": {"messages": [USER, ANSWER]}}, SAID),
    "a true label": ({"prompt": Q, "completion": A, "isCorrect": True}, SAID),
    "not rejected": ({"prompt": Q, "completion": A, "is_rejected": 0}, SAID),
    "an empty list as input": ({"instruction": Q, "input": [], "output": A}, SAID),
    "an empty list as another answer": ({"instruction": Q, "output": A, "response": []}, SAID),
    "an empty instruction beside a prompt": ({"instruction": "", "prompt": Q, "output": A}, SAID),
    "no input beside turns": ({"messages": [USER, ANSWER], "input": "<noinput>"}, SAID),
    "a grade": ({"question": Q, "answer": A, "correct": 3, "good": "B", "failed": 0}, SAID),
    "ratings": ({"prompt": Q, "response": A, "helpfulness": 0, "correctness": 0}, SAID),
    "a later turn to learn": (
        {"messages": [GREETING[0], {**GREETING[1], "masked": True}, USER, ANSWER]},
        (
            *EARLIER,
            *SAID,
        ),
    ),
    "a task of natural instructions": (
        {"Definition": [Q], "Positive Examples": [], "Instances": [{"id": "1", "input": "I", "output": [A]}]},
        about("I"),
    ),
    "a system and a developer": (
        {
            "messages": [
                {"role": "system", "content": "S"},
                {"role": "developer", "content": "D"},
                USER,
                ANSWER,
            ]
        },
        (("system", "S\n\nD"), *SAID),
    ),
    "an empty system prompt beside another": (
        {"system": "", "system_prompt": "S", "instruction": Q, "output": A},
        (("system", "S"), *SAID),
    ),
    "an empty system prompt beside another, with turns": (
        {"system": " ", "sys_prompt": "S", "messages": [USER, ANSWER]},
        (("system", "S"), *SAID),
    ),
    "the same system prompt three times": (
        {
            "system": "S",
            "system_prompt": "S ",
            "messages": [{"role": "system", "content": "S"}, USER, ANSWER],
        },
        (("system", "S"), *SAID),
    ),
    "no history beside another": (
        {"history": None, "chat_history": [["Hello.", "Hi."]], "question": Q, "answer": A},
        (*EARLIER, *SAID),
    ),
    "no history as text beside another": (
        {"history": "[]", "chat_history": GREETING, "question": Q, "answer": A},
        (*EARLIER, *SAID),
    ),
    "no history beside turns": (
        {"history": [], "chat_history": "[]", "messages": [USER, ANSWER]},
        SAID,
    ),
    "turns that repeat their history": (
        {"history": [["Hello.", "Hi."]], "messages": [*GREETING, USER, ANSWER]},
        (*EARLIER, *SAID),
    ),
    "turns that repeat a history with ids": (
        {
            "history": [
                {**GREETING[0], "id": "x1", "timestamp": "9:00"},
                {"from": "gpt", "value": "Hi.", "language": "en"},
            ],
            "messages": [*GREETING, USER, ANSWER],
        },
        (*EARLIER, *SAID),
    ),
    "turns that repeat a history of exchanges": (
        {
            "history": [{"instruction": "Hello.", "response": "Hi.", "ts": "9"}],
            "messages": [*GREETING, USER, ANSWER],
        },
        (*EARLIER, *SAID),
    ),
    "turns that repeat a history with ids as text": (
        {
            "history": json.dumps([{"Human": "Hello.", "Assistant": "Hi.", "ts": "9"}]),
            "messages": [*GREETING, USER, ANSWER],
        },
        (*EARLIER, *SAID),
    ),
    "turns that repeat a history by its types": (
        {
            "history": [{"type": "human", "content": "Hello.", "id": "x1"}],
            "messages": [*GREETING, USER, ANSWER],
        },
        (*EARLIER, *SAID),
    ),
    "turns that repeat a transcript": (
        {"history": "User: Hello.\nAssistant: Hi.", "messages": [*GREETING, USER, ANSWER]},
        (*EARLIER, *SAID),
    ),
    "a transcript before an exchange": (
        {"history": "User: Hello.\nAssistant: Hi.", "question": Q, "answer": A},
        (*EARLIER, *SAID),
    ),
    "no history in words beside another": (
        {"history": "None", "chat_history": GREETING, "question": Q, "answer": A},
        (*EARLIER, *SAID),
    ),
    "no context in words beside turns": ({"context": "nan", "messages": [USER, ANSWER]}, SAID),
    "turns that end with the chosen message": (
        {"messages": [USER, ANSWER], "chosen": [USER, {**ANSWER, "id": "x1"}], "rejected": []},
        SAID,
    ),
    "turns that end with the chosen text after its thought": (
        {"messages": [USER, ANSWER], "chosen": f"<think>T</think>{A}"},
        SAID,
    ),
    "a chosen conversation that repeats its prompt with an id": (
        {"prompt": [{**USER, "id": "x1"}], "chosen": [USER, ANSWER], "rejected": []},
        SAID,
    ),
    "the same turns twice": (
        {
            "messages": [USER, ANSWER],
            "conversations": [{"from": "human", "value": Q, "id": "x1"}, {"from": "gpt", "value": A}],
        },
        SAID,
    ),
    "a list beside turns that holds no turns": (
        {"messages": [USER, ANSWER], "contents": ["I"], "trajectory": [{"action": "look"}], "turns": [Q]},
        SAID,
    ),
    "turns beside their answer": (
        {"messages": [USER, {**ANSWER, "reasoning_content": "T"}], "response": f"<think>T</think>{A}"},
        SAID,
    ),
    "turns beside their answer as a message": ({"messages": [USER, ANSWER], "output": [ANSWER]}, SAID),
    "turns beside a result of theirs": ({"messages": [USER, ANSWER], "answer": "5", "solution": "I"}, SAID),
    "no tools beside functions": (
        {"tools": "null", "functions": [], "system": "S", "question": Q, "answer": A},
        (("system", "S"), *SAID),
    ),
    "tools as text beside no functions": (
        {"tools": "[]", "functions": "F", "question": Q, "answer": A},
        (("system", "Tools:\nF"), *SAID),
    ),
    "instances with a system prompt": (
        {"system_prompt": "S", "instruction": Q, "instances": [{"input": "", "output": A}]},
        (("system", "S"), *SAID),
    ),
    "the root of a chain": ({"instruction": Q, "output": A, "id": 1, "parent_id": "root"}, SAID),
    "a chosen conversation that repeats its prompt": (
        {"prompt": f" {Q}\n", "chosen": [USER, ANSWER], "rejected": []},
        SAID,
    ),
    "a system prompt that the chosen conversation does not repeat": (
        {"prompt": [{"role": "system", "content": "S"}, USER], "chosen": [USER, ANSWER], "rejected": []},
        (("system", "S"), *SAID),
    ),
    "an answer about a conversation, to a message": (
        {"messages": [USER], "chosen": "Human: Hi.\n\nAssistant: Yes.", "rejected": B},
        (SAID[0], ("assistant", "Human: Hi.\n\nAssistant: Yes.")),
    ),
    "a turn that is not skipped": (
        {"messages": [USER, {**ANSWER, "skip_training": False, "ignore": "no", "weight": 0.5}]},
        SAID,
    ),
    "words about the answer that are no label": (
        {
            "question": Q,
            "answer": A,
            "correct_answer": "B",
            "is_bad": "good",
            "passed": 3,
            "good": "False friends",
        },
        SAID,
    ),
    "answers of true and false": (
        {"prompt": Q, "chosen": "False", "rejected": "True"},
        (("user", Q), ("assistant", "False")),
    ),
    "a turn that is not masked": (
        {"messages": [{**USER, "masked": True}, {**ANSWER, "masked": False}]},
        SAID,
    ),
}
"""A row of each shape and its conversation."""


@pytest.mark.parametrize("name", ROWS)
def test_a_row_has_its_whole_meaning(name: str) -> None:
    row, conversation = ROWS[name]
    assert read_row(row) == conversation


def test_rows_of_all_shapes_may_be_mixed() -> None:
    reader = RowReader(rewritable=True)
    for row, conversation in [*ROWS.values(), *reversed(ROWS.values())]:
        assert tuple((turn.role, turn.content) for turn in reader.read(row)[1]) == conversation


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (
            {"definition": None, "inputs": Q, "targets": A},
            {"definition": "D", "inputs": "I", "targets": A},
            (("user", "D\n\nI"), SAID[1]),
        ),
        (
            {"system": None, "system_prompt": "S", "question": Q, "answer": A},
            {"system": "S2", "system_prompt": None, "question": Q, "answer": A},
            (("system", "S2"), *SAID),
        ),
        (
            {"history": None, "chat_history": None, "question": Q, "answer": A},
            {"history": None, "chat_history": GREETING, "question": Q, "answer": A},
            (*EARLIER, *SAID),
        ),
    ],
)
def test_a_row_has_its_columns_whatever_an_earlier_row_left_empty(
    first: dict[str, Any], second: dict[str, Any], said: tuple[tuple[str, str], ...]
) -> None:
    reader = RowReader(rewritable=True)
    reader.read(first)
    assert tuple((turn.role, turn.content) for turn in reader.read(second)[1]) == said


@pytest.mark.parametrize(
    "rest", [{"question": Q, "answer": A}, {"messages": [USER, ANSWER]}, {"instruction": Q, "output": A}]
)
@pytest.mark.parametrize(
    ("beside", "system"),
    [
        ({"system": None, "system_prompt": "S"}, "S"),
        ({"system": float("nan"), "system_prompt": "S"}, "S"),
        ({"system_prompt": "S"}, "S"),
        ({"system": None, "system_prompt": None, "sys_prompt": "S"}, "S"),
        ({"system": "S2", "system_prompt": "S"}, "S2"),
        ({"system": "", "system_prompt": "S"}, ""),
        ({"system": None, "system_prompt": None}, ""),
    ],
)
def test_another_system_prompt_takes_the_place_of_a_named_one_that_is_null(
    beside: dict[str, Any], system: str, rest: dict[str, Any]
) -> None:
    said = (("system", system), *SAID) if system else SAID
    reader = RowReader(ColumnsConfig(system="system"), rewritable=True)
    reader.read({**dict.fromkeys(beside), **dict.fromkeys(["system"]), **rest})  # the same columns, first
    reader.read({**beside, "system": "S3", "system_prompt": None, **rest})
    assert tuple((turn.role, turn.content) for turn in reader.read({**beside, **rest})[1]) == said


def test_a_named_system_prompt_that_no_row_has_is_an_error() -> None:
    with pytest.raises(InvalidRow, match=r"system: expected the column that seeds\.columns\.system names"):
        read_row({"question": Q, "answer": A}, system="system")


def test_an_instruction_with_an_uncommon_answer_is_no_history() -> None:
    assert RowReader().read({"instruction": Q, "targets": A})[0] is RowFormat.question_answer


@pytest.mark.parametrize("nothing", ["None", "nan", " null ", "N/A", "", "[]", [], None, float("nan")])
@pytest.mark.parametrize("rest", [{"messages": [USER, ANSWER]}, {"question": Q, "answer": A}])
def test_a_history_that_says_nothing_is_none(nothing: Any, rest: dict[str, Any]) -> None:
    assert read_row({"history": nothing, **rest}) == SAID
    assert read_row({"more": nothing, **rest}, history="more") == SAID


@pytest.mark.parametrize("part", ["input", "history"])
def test_columns_that_the_turns_lack_are_not_dropped_because_they_are_named(part: str) -> None:
    with pytest.raises(InvalidRow, match="more: expected a text that is part of messages"):
        read_row({"more": "I", "messages": [USER, ANSWER]}, **{part: "more"})
    assert read_row({"more": "", "messages": [USER, ANSWER]}, **{part: "more"}) == SAID


MESSAGES = json.dumps([USER])


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"input": MESSAGES, "output": A}, SAID),
        ({"question": Q, "documents": '["I", "I2"]', "response": A}, about("I\n\nI2")),
        ({"question": Q, "context": "['I', 'I2']", "response": A}, about("I\n\nI2")),
        ({"instruction": Q, "input": '["I", "I2"]', "output": A}, about('["I", "I2"]')),
        ({"instruction": Q, "output": MESSAGES}, (("user", Q), ("assistant", MESSAGES))),
    ],
)
def test_a_list_in_a_cell_of_csv_is_one(row: dict[str, str], said: tuple[tuple[str, str], ...]) -> None:
    assert read_row(row) == said


def test_a_thought_in_a_cell_of_csv_is_one_text() -> None:
    row = {"question": Q, "thinking_trajectories": '["T"]', "attempt": A}
    assert RowReader().read(row)[1][1].reasoning_content == "T"
