"""Round trips through every format."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from staragents.base.candidate_schema import without_reasoning
from staragents.base.messages import Conversation, Message, conversation
from staragents.data.formats import alpaca, prompt_completion, sharegpt
from staragents.data.formats.dpo import DPO, Preference
from staragents.data.formats.format import CantCarry, Format, Row, has_reasoning
from staragents.data.formats.known import FORMATS
from staragents.data.formats.kto import KTO, Opinion
from staragents.data.formats.openai_messages import MESSAGES
from staragents.data.formats.sharegpt import SHAREGPT, SPEAKERS

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
roles = st.sampled_from(["system", "user", "assistant", "tool"])
thoughts = st.none() | st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
turns = st.builds(Message, roles, texts, thoughts)
conversations = st.lists(turns, min_size=1, max_size=8).map(tuple)
exchanges = st.tuples(
    st.builds(Message, st.just("user"), texts), st.builds(Message, st.just("assistant"), texts)
)
preferences = st.builds(Preference, conversations, texts, texts, thoughts, thoughts).filter(
    lambda p: p.chosen != p.rejected
)
answered = st.tuples(st.lists(turns, max_size=5), texts, thoughts).map(
    lambda parts: (*parts[0], Message("assistant", *parts[1:]))
)
opinions = st.builds(Opinion, answered, st.booleans())

ROLES = {speaker: role for role, speaker in SPEAKERS.items()}
RESTORED: dict[str, Callable[[Row], Any]] = {
    "messages": lambda row: conversation(row["messages"]),
    "sharegpt": lambda row: tuple(
        Message(ROLES[t["from"]], t["value"], t.get("reasoning_content")) for t in row["conversations"]
    ),
    "alpaca": lambda row: (Message("user", row["instruction"]), Message("assistant", row["output"])),
    "prompt-completion": lambda row: (
        Message("user", row["prompt"]),
        Message("assistant", row["completion"]),
    ),
    "dpo": lambda row: Preference(
        conversation(row["prompt"]),
        row["chosen"][0]["content"],
        row["rejected"][0]["content"],
        row["chosen"][0].get("reasoning_content"),
        row["rejected"][0].get("reasoning_content"),
    ),
    "kto": lambda row: Opinion(
        (*conversation(row["prompt"]), *conversation(row["completion"])), row["label"]
    ),
}
"""The sample of a row, by format."""


def on_disk(wanted: Format, row: Row) -> list[Row]:
    """The row after a round trip through JSONL and Parquet."""
    return [json.loads(json.dumps(row)), *pa.Table.from_pylist([row], schema=wanted.schema).to_pylist()]


@settings(deadline=None)
@given(conversations)
def test_messages_to_sharegpt_to_messages_is_the_identity(messages: Conversation) -> None:
    for row in on_disk(SHAREGPT, sharegpt.to_row(messages)):
        back = RESTORED["sharegpt"](row)
        assert MESSAGES.to_row(back) == MESSAGES.to_row(messages)
        assert [turn["from"] for turn in row["conversations"]] == [
            {"user": "human", "assistant": "gpt"}.get(message.role, message.role) for message in messages
        ]


@settings(deadline=None)
@given(conversations)
def test_messages_keep_everything(messages: Conversation) -> None:
    for row in on_disk(MESSAGES, MESSAGES.to_row(messages)):
        assert RESTORED["messages"](row) == messages


@pytest.mark.parametrize("name", ["alpaca", "prompt-completion"])
@settings(deadline=None)
@given(messages=exchanges)
def test_one_exchange_round_trips(name: str, messages: Conversation) -> None:
    wanted = FORMATS[name]
    for row in on_disk(wanted, wanted.to_row(messages)):
        assert RESTORED[name](row) == messages


@pytest.mark.parametrize("module", [alpaca, prompt_completion])
@settings(deadline=None)
@given(messages=conversations)
def test_a_value_that_the_format_cannot_hold_is_an_error_with_its_field(
    module: object, messages: Conversation
) -> None:
    if [message.role for message in messages] == ["user", "assistant"]:
        return
    with pytest.raises(CantCarry, match=r"^messages(\[\d\](\.role)?)?: expected "):
        module.to_row(messages)  # type: ignore[attr-defined]


@settings(deadline=None)
@given(preferences)
def test_preferences_round_trip(preference: Preference) -> None:
    for row in on_disk(DPO, DPO.to_row(preference)):
        assert RESTORED["dpo"](row) == preference


@settings(deadline=None)
@given(conversations, texts)
def test_two_equal_answers_are_no_preference(prompt: Conversation, answer: str) -> None:
    with pytest.raises(CantCarry, match="got the same"):
        DPO.to_row(Preference(prompt, answer, answer))


@settings(deadline=None)
@given(opinions)
def test_kto_rows_round_trip(opinion: Opinion) -> None:
    for row in on_disk(KTO, KTO.to_row(opinion)):
        assert RESTORED["kto"](row) == opinion


@settings(deadline=None)
@given(conversations)
def test_reasoning_is_a_field_of_its_turn_only_where_there_is_some(messages: Conversation) -> None:
    for row in (MESSAGES.to_row(messages), sharegpt.to_row(messages)):
        (turns,) = row.values()
        kept = [turn.get("reasoning_content") for turn in turns]
        assert kept == [message.reasoning_content for message in messages]
        assert has_reasoning(row) == any(kept)
        assert sum("reasoning_content" in turn for turn in turns) == sum(text is not None for text in kept)


@pytest.mark.parametrize("name", FORMATS)
def test_files_without_reasoning_have_no_column_for_it(name: str) -> None:
    schema = FORMATS[name].schema
    assert "reasoning" not in str(without_reasoning(schema))
    assert ("reasoning" in str(schema)) == FORMATS[name].keeps_reasoning
    assert without_reasoning(schema).names == schema.names
