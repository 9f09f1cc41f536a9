"""Rows of a dataset, good and bad."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staragents.base.messages import Message
from staragents.base.records import Seed
from staragents.data.readers.json_rows import decode_line
from staragents.data.readers.raw_row import BadRow, RawRow
from staragents.data.readers.row_messages import RowReader
from staragents.data.seed_row import SeedRow, parse_row

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
ROLES = st.sampled_from(["system", "user", "assistant"]) | JSON
TEXTS = st.text(st.characters(), max_size=60) | JSON
ALMOST_ROWS = st.fixed_dictionaries(
    {},
    optional={
        "instruction": TEXTS,
        "input": TEXTS,
        "output": TEXTS,
        "messages": JSON
        | st.lists(st.fixed_dictionaries({}, optional={"role": ROLES, "content": TEXTS}) | JSON, max_size=5),
    },
)


def parsed(value: Any, max_chars: int = 100) -> Seed | BadRow:
    row = parse_row(RawRow(7, value), RowReader(max_chars=max_chars, rewritable=True))
    return row.seed(0) if isinstance(row, SeedRow) else row


def bad(value: Any, max_chars: int = 100) -> tuple[str, str]:
    row = parsed(value, max_chars)
    assert isinstance(row, BadRow)
    assert row.row == 7
    return row.problem.field, row.problem.message


def roles(*names: str) -> dict[str, Any]:
    return {"messages": [{"role": name, "content": f"text {index}"} for index, name in enumerate(names)]}


def test_alpaca_input_follows_the_instruction_after_a_blank_line() -> None:
    row = parsed({"instruction": "Add.", "input": "1 and 2", "output": "3"})
    assert isinstance(row, Seed)
    assert row.messages == (Message("user", "Add.\n\n1 and 2"), Message("assistant", "3"))


@pytest.mark.parametrize("given_input", [{}, {"input": ""}, {"input": " \n"}, {"input": None}])
def test_alpaca_without_input_has_the_instruction_alone(given_input: dict[str, Any]) -> None:
    row = parsed({"instruction": "Add.", "output": "3", "id": 9, **given_input})
    assert isinstance(row, Seed)
    assert row.instruction == "Add."
    assert row.response == "3"


def test_messages_keep_history_and_system_prompt() -> None:
    row = parsed(roles("system", "user", "assistant", "user", "assistant"))
    assert isinstance(row, Seed)
    assert [message.role for message in row.context] == ["system", "user", "assistant"]
    assert (row.instruction, row.response) == ("text 3", "text 4")


def test_an_empty_system_prompt_is_left_out() -> None:
    with_empty = {"messages": [{"role": "system", "content": " "}, *roles("user", "assistant")["messages"]]}
    assert parsed(with_empty) == parsed(roles("user", "assistant"))


def test_the_id_depends_on_the_conversation_and_not_on_its_format() -> None:
    alpaca = parsed({"instruction": "a", "output": "b"})
    messages = parsed({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]})
    other = parsed({"instruction": "ab", "output": "b"})
    assert isinstance(alpaca, Seed)
    assert isinstance(messages, Seed)
    assert isinstance(other, Seed)
    assert alpaca.seed_id == messages.seed_id != other.seed_id


@pytest.mark.parametrize(
    ("value", "field", "reason"),
    [
        ([1, 2], "row", "got a list of 2"),
        (None, "row", "got null"),
        ({}, "instruction", "expected the columns of a known format"),
        ({"instruction": "a", "reply": "b"}, "response", "'instruction', 'reply'"),
        ({"instruction": 5, "output": "b"}, "instruction", "expected text, got 5"),
        ({"instruction": "a", "output": None}, "output", "expected text, got null"),
        ({"instruction": "a", "output": "b", "input": ["x"]}, "input", "expected text, got a list"),
        ({"instruction": " \n", "output": "b"}, "instruction", "only white space"),
        ({"instruction": "a", "output": ""}, "output", "got nothing"),
        ({"instruction": "a" * 101, "output": "b"}, "instruction", "at most 100 characters"),
        ({"instruction": "a" * 101, "output": "b"}, "instruction", "got 101"),
        ({"instruction": "a \ud83d b", "output": "b"}, "instruction", r"\ud83d at character 3"),
        ({"messages": []}, "messages", "expected a list of messages"),
        ({"messages": {"role": "user"}}, "messages", "got an object"),
        ({"messages": ["hello"]}, "messages[0].role", "expected the last message from assistant"),
        ({"messages": [5]}, "messages[0]", "an object with role and content"),
        ({"messages": [{"role": "user", "content": 1}]}, "messages[0].content", "expected text, got 1"),
        (roles("assistant"), "messages[0].role", "expected system or user, got 'assistant'"),
        (roles("user", "user"), "messages[1].role", "expected assistant, got 'user'"),
        (roles("user", "system"), "messages[1].role", "expected assistant, got 'system'"),
        (roles("user", "assistant", "robot"), "messages[2].role", "expected user, got 'robot'"),
        (roles("user"), "messages[0].role", "expected the last message from assistant"),
        (roles("system"), "messages[0].role", "expected the last message from assistant"),
        ({"messages": [{"role": 10**5000, "content": "x"}]}, "messages[0].role", "a huge number"),
    ],
)
def test_a_bad_row_says_field_and_reason(value: Any, field: str, reason: str) -> None:
    found, message = bad(value)
    assert found == field
    assert reason in message


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"instruction": "a"', "not JSON: Expecting"),
        (b"hello", "not JSON: Expecting value at character 1"),
        (b'{"instruction": "\xff\xfe"}', "expected UTF-8, got the byte 0xff at position 18"),
        (b"9" * 5000, "a number is too long"),
        (b"[" * 100_000, "nesting too deep"),
    ],
)
def test_a_line_that_is_not_json_is_a_bad_row(line: bytes, reason: str) -> None:
    row = decode_line(line, 3)
    assert isinstance(row, BadRow)
    assert (row.row, row.problem.field) == (3, "row")
    assert reason in row.problem.message


@given(ALMOST_ROWS | JSON)
def test_any_json_value_is_a_seed_or_a_bad_row(value: Any) -> None:
    row = parsed(value, max_chars=40)
    if isinstance(row, BadRow):
        assert row.problem.field
        assert "\n" not in f"{row.problem.field}{row.problem.message}"
        row.problem.message.encode()
        return
    assert row.messages[-1].role == "assistant"
    assert row.messages[-2].role == "user"
    for message in row.messages:
        assert message.content.strip()
        message.content.encode()


@given(st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_line_is_a_row_or_a_bad_row(line: bytes) -> None:
    assert isinstance(decode_line(line, 1), RawRow | BadRow)
