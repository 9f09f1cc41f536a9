"""Shapes of rows in trainers' documentation and dataset cards: the right meaning, or one clear line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from staragents.base.messages import Message
from staragents.config import ColumnsConfig, SeedsConfig
from staragents.data.readers.raw_row import InvalidRow
from staragents.data.readers.row_messages import RowReader
from staragents.data.seed_file import SeedFile

Q, A, B = "Name a colour.", "Blue.", "Red."
SAID = (("user", Q), ("assistant", A))
EARLIER = (("user", "Hello."), ("assistant", "Hi."))
USER = {"role": "user", "content": Q}
ANSWER = {"role": "assistant", "content": A}
OTHER = {"role": "assistant", "content": B}
CHAT = [USER, ANSWER]
GREETING = [{"role": "user", "content": "Hello."}, {"role": "assistant", "content": "Hi."}]

SHAPES: dict[str, tuple[dict[str, Any], tuple[tuple[str, str], ...]]] = {
    "names in another case": ({"Instruction": Q, "OUTPUT": A}, SAID),
    "names with spaces": ({"Prompt ": Q, " Completion": A}, SAID),
    "a name of two words": (
        {"System Prompt": "Be brief.", "Question": Q, "Answer": A},
        (
            ("system", "Be brief."),
            *SAID,
        ),
    ),
    "keys of turns in another case": (
        {"Messages": [{"Role": "User", "Content": Q}, {"Role": "Assistant", "Content": A}]},
        SAID,
    ),
    "two columns of system prompts": (
        {"system": None, "system_prompt": "Be brief.", "question": Q, "answer": A},
        (("system", "Be brief."), *SAID),
    ),
    "columns of user and assistant": ({"user": Q, "assistant": A}, SAID),
    "columns of human and gpt": ({"Human": Q, "GPT": A, "id": 3}, SAID),
    "two columns with the same answer": ({"instruction": Q, "output": A, "response": f"{A}\n"}, SAID),
    "two columns, one empty": ({"instruction": Q, "output": "", "response": A}, SAID),
    "distilabel": ({"instruction": Q, "generation": A, "model_name": "m"}, SAID),
    "metharme": ({"prompt": Q, "generation": A}, SAID),
    "aya": ({"inputs": Q, "targets": A, "language": "English"}, SAID),
    "natural instructions": (
        {"definition": "Name it.", "inputs": "the sky", "targets": A},
        (("user", "Name it.\n\nthe sky"), ("assistant", A)),
    ),
    "question about an article": (
        {"article": "The sky is blue.", "question": Q, "answer": A},
        (("user", f"{Q}\n\nThe sky is blue."), ("assistant", A)),
    ),
    "question that contains its choices": (
        {"question": "Blue or red?", "choices": ["Blue", "red"], "answer": A},
        (("user", "Blue or red?"), ("assistant", A)),
    ),
    "firefly and swift": (
        {"conversation": [{"human": "Hello.", "assistant": "Hi."}, {"human": Q, "assistant": A}]},
        (*EARLIER, *SAID),
    ),
    "capybara": ({"conversation": [{"input": Q, "output": A}]}, SAID),
    "the same system prompt in every pair": (
        {
            "conversation": [
                {"system": "Be brief.", "input": i, "output": o} for i, o in (("Hello.", "Hi."), (Q, A))
            ]
        },
        (("system", "Be brief."), *EARLIER, *SAID),
    ),
    "speakers": ({"dialogue": [{"speaker": "Human", "text": Q}, {"speaker": "AI", "text": A}]}, SAID),
    "wildchat": ({"conversation": CHAT, "toxic": False, "language": "English"}, SAID),
    "roles and texts as two lists": ({"messages": {"role": ["user", "assistant"], "content": [Q, A]}}, SAID),
    "messages as JSON": ({"id": 1, "messages": json.dumps(CHAT)}, SAID),
    "messages as Python": (
        {"conversations": repr([{"from": "human", "value": Q}, {"from": "gpt", "value": A}])},
        SAID,
    ),
    "messages as NumPy": ({"messages": f"[{USER!r}\n {ANSWER!r}]"}, SAID),
    "history as text": (
        {"instruction": Q, "output": A, "history": json.dumps([["Hello.", "Hi."]])},
        (*EARLIER, *SAID),
    ),
    "no history as text": ({"instruction": Q, "output": A, "history": "[]"}, SAID),
    "chosen and rejected conversations": ({"chosen": CHAT, "rejected": [USER, OTHER]}, SAID),
    "chosen conversation as JSON": (
        {"chosen": json.dumps(CHAT), "rejected": json.dumps([USER, OTHER])},
        SAID,
    ),
    "chosen conversation of sharegpt": (
        {"chosen": [{"from": "human", "value": Q}, {"from": "gpt", "value": A}], "rejected": []},
        SAID,
    ),
    "chosen transcript": (
        {"chosen": f"\n\nHuman: Hello.\n\nAssistant: Hi.\n\nHuman: {Q}\n\nAssistant: {A}", "rejected": "No."},
        (*EARLIER, *SAID),
    ),
    "chosen transcript with single lines": (
        {"chosen": f"User: Hello.\nAssistant: Hi.\nUser: {Q}\nAssistant: {A}", "rejected": "No."},
        (*EARLIER, *SAID),
    ),
    "chosen transcript of guanaco": ({"chosen": f"### Human: {Q}\n### Assistant: {A}"}, SAID),
    "messages as JSON written twice": ({"messages": json.dumps(json.dumps(CHAT))}, SAID),
    "messages as JSON, each a text": ({"messages": [json.dumps(turn) for turn in CHAT]}, SAID),
    "interactions": ({"interactions": [{"query": Q, "answer": A}]}, SAID),
    "preference of openai": (
        {
            "input": {"messages": [USER], "tools": []},
            "preferred_output": [ANSWER],
            "non_preferred_output": [],
        },
        SAID,
    ),
    "a log of requests": ({"messages": [USER], "response": {"choices": [{"message": ANSWER}]}}, SAID),
    "gemini": (
        {
            "systemInstruction": {"role": "system", "parts": [{"text": "Be brief."}]},
            "contents": [{"role": "user", "parts": [{"text": Q}]}, {"role": "model", "parts": [{"text": A}]}],
        },
        (("system", "Be brief."), *SAID),
    ),
    "nova": (
        {
            "system": [{"text": "Be brief."}],
            "messages": [
                {"role": "user", "content": [{"text": Q}]},
                {"role": "assistant", "content": [{"text": A}]},
            ],
        },
        (("system", "Be brief."), *SAID),
    ),
    "input and output of gemini": ({"text_input": Q, "output": A}, SAID),
    "prompt as a transcript": (
        {"prompt": f"\n\nHuman: Hello.\n\nAssistant: Hi.\n\nHuman: {Q}\n\nAssistant:", "chosen": f" {A}"},
        (*EARLIER, ("user", Q), ("assistant", f" {A}")),
    ),
    "prompt beside a chosen transcript": (
        {"prompt": Q, "chosen": f"\n\nHuman: {Q}\n\nAssistant: {A}", "rejected": "..."},
        SAID,
    ),
    "chosen response": ({"instruction": Q, "chosen_response": A, "rejected_response": B}, SAID),
    "chosen message": ({"prompt": Q, "chosen": ANSWER, "rejected": OTHER}, SAID),
    "messages and a chosen message": (
        {"messages": [*GREETING, USER], "chosen": ANSWER, "rejected": OTHER},
        (
            *EARLIER,
            *SAID,
        ),
    ),
    "chosen message as text": ({"prompt": Q, "chosen": repr(ANSWER), "rejected": repr(OTHER)}, SAID),
    "messages and a chosen text": ({"messages": [USER], "chosen": A, "rejected": B}, SAID),
    "messages and a chosen conversation": ({"messages": [USER], "chosen": CHAT, "rejected": []}, SAID),
    "swift preference": ({"messages": CHAT, "rejected_response": B}, SAID),
    "ultrafeedback": (
        {"prompt": Q, "messages": CHAT, "chosen": CHAT, "rejected": [USER, OTHER], "score_chosen": 8.0},
        SAID,
    ),
    "ultrainteract": ({"trajectory": [{"from": "user", "value": Q}], "chosen": A, "rejected": B}, SAID),
    "arena": (
        {"conversation_a": [USER, OTHER], "conversation_b": CHAT, "winner": "model_b", "judge": "x"},
        SAID,
    ),
    "kto with a true label": ({"prompt": [USER], "completion": [ANSWER], "label": True}, SAID),
    "kto with a label as text": ({"prompt": Q, "completion": A, "label": "True"}, SAID),
    "kto of argilla": ({"instruction": Q, "completion": A, "kto_tag": 1}, SAID),
    "chosen as a label": ({"prompt": Q, "response": A, "chosen": True}, SAID),
    "a class, not a label": ({"instruction": Q, "output": A, "label": 3}, SAID),
    "a label of words": ({"instruction": Q, "output": A, "label": "negative"}, SAID),
    "no label": ({"instruction": Q, "output": A, "label": None}, SAID),
    "weights of turns": (
        {
            "conversations": [
                {"from": "human", "value": Q, "weight": 0.0},
                {"from": "gpt", "value": A, "weight": 1.0},
            ]
        },
        SAID,
    ),
    "parts of text": (
        {
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": Q}, {"type": "text", "text": "!"}]},
                ANSWER,
            ]
        },
        (("user", f"{Q}\n!"), ("assistant", A)),
    ),
    "nemotron": ({"input": [USER], "output": A, "reasoning": "off", "system_prompt": ""}, SAID),
}
"""A row of each shape and its conversation."""


def read(row: dict[str, Any], **columns: str) -> tuple[tuple[str, str], ...]:
    _, messages = RowReader(ColumnsConfig(**columns), rewritable=True).read(row)
    assert all(turn.reasoning_content is None for turn in messages)
    return tuple((turn.role, turn.content) for turn in messages)


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_has_its_meaning(name: str) -> None:
    row, conversation = SHAPES[name]
    assert read(row) == conversation


def test_a_row_may_be_a_list_of_turns() -> None:
    reader = RowReader(rewritable=True)
    assert [
        turn.content for turn in reader.read([{"from": "human", "value": Q}, {"from": "gpt", "value": A}])[1]
    ] == [
        Q,
        A,
    ]
    with pytest.raises(InvalidRow, match="row: expected an object with columns, got a list of 2"):
        reader.read([{"role": "user", "content": Q}, {"text": A}])


def test_rows_of_all_shapes_may_be_mixed() -> None:
    reader = RowReader(rewritable=True)
    for row, conversation in [*SHAPES.values(), *reversed(SHAPES.values())]:
        assert tuple((turn.role, turn.content) for turn in reader.read(row)[1]) == conversation


LINES: dict[str, tuple[dict[str, Any], str]] = {
    "two questions": (
        {"turns": [Q, Q], "category": "x"},
        "turns: expected turns that name their speaker, got 2 texts",
    ),
    "questions under another name": (
        {"questions": [Q, Q]},
        "is 'questions' a conversation? then set seeds.columns.messages",
    ),
    "prompts": ({"prompt": [Q, Q], "reference": []}, "response: expected the columns of a known format"),
    "questions of user turns": (
        {"turns": [{"content": Q}]},
        "turns[0]: expected an object with role and content",
    ),
    "a conversation of questions": (
        {"messages": [USER, USER]},
        "messages[1].role: expected assistant, got 'user'",
    ),
    "a conversation without an answer": ({"messages": [USER]}, "expected the last message from assistant"),
    "a conversation under an unknown name": (
        {"chat": CHAT},
        "is 'chat' a conversation? then set seeds.columns.messages",
    ),
    "texts under a name of anything": ({"data": [Q, A]}, "is 'data' a conversation?"),
    "kto": ({"prompt": Q, "completion": B, "label": False}, "label: expected a wanted answer, got False"),
    "kto as text": (
        {"prompt": Q, "completion": B, "label": "FALSE"},
        "label: expected a wanted answer, got 'FALSE'",
    ),
    "kto_tag as a number": (
        {"instruction": Q, "output": B, "kto_tag": "0"},
        "kto_tag: expected a wanted answer",
    ),
    "kto of messages": ({"messages": [USER, OTHER], "kto_tag": False}, "kto_tag: expected a wanted answer"),
    "kto with a name in another case": (
        {"Prompt": Q, "Completion": B, "Label": False},
        "Label: expected a wanted answer",
    ),
    "chosen as a label": ({"prompt": Q, "response": B, "chosen": False}, "chosen: expected a wanted answer"),
    "a label that is a class or not": (
        {"prompt": Q, "completion": B, "label": 0},
        "label: expected a label of true or false, got 0: set seeds.columns.label",
    ),
    "only a rejected answer": (
        {"prompt": Q, "rejected": B},
        "row: expected an answer to learn from, got only a rejected one",
    ),
    "steps with labels": (
        {"prompt": Q, "completions": [A, B], "labels": [True, False]},
        "response: expected the columns",
    ),
    "a pair of answers in a list": (
        {"instruction": Q, "output": [A, B]},
        "output: expected text or a list of messages",
    ),
    "two chosen answers": (
        {"messages": [USER], "chosen": A, "answer": B},
        "chosen, answer could each be the response",
    ),
    "an answer not to learn": (
        {"messages": [USER, {**OTHER, "weight": 0}]},
        "messages[1].weight: expected an answer to learn from, got 0",
    ),
    "an answer not to train": (
        {"conversations": [USER, {**OTHER, "train": False}]},
        "conversations[1].train: expected an answer to learn from",
    ),
    "a tie": (
        {"conversation_a": CHAT, "conversation_b": CHAT, "winner": "tie (bothbad)"},
        "winner: expected model_a or model_b",
    ),
    "choices apart from the question": (
        {"question": Q, "choices": ["Blue", "Red"], "answer": "A"},
        "choices: expected a question that contains its choices",
    ),
    "options as an object": (
        {"question": Q, "options": {"A": "Blue", "B": "Red"}, "answer": "A"},
        "options: expected a question that contains",
    ),
    "another system prompt later": (
        {
            "conversation": [
                {"system": "Be kind.", "input": Q, "output": A},
                {"system": "Be rude.", "input": Q, "output": A},
            ]
        },
        "conversation[1].role: expected user, got 'system'",
    ),
    "one message": (
        {"c_id": 1, "role": "user", "message": Q},
        "row: expected a whole conversation, got one message: set seeds.columns.conversation",
    ),
    "one message of sharegpt": (
        {"id": 1, "from": "gpt", "value": A},
        "row: expected a whole conversation, got one message",
    ),
    "broken text of messages": (
        {"messages": "[{'role': 'user', 'content': }]"},
        "messages: expected a list of messages",
    ),
    "text of messages that is code": (
        {"conversations": "[{'role': open('x').read()}]"},
        "conversations: expected a list of messages",
    ),
    "an image": (
        {"messages": [{"role": "user", "content": [{"type": "image_url"}]}, ANSWER]},
        "expected parts of text, got 'image_url'",
    ),
    "pretraining": ({"messages": [ANSWER]}, "messages[0].role: expected system or user"),
    "two spellings": (
        {"Instruction": Q, "INSTRUCTION": Q, "output": A},
        "instruction: expected the columns of a known format",
    ),
}
"""A row of each shape that is no seed, and a part of what the user reads."""


@pytest.mark.parametrize("name", LINES)
def test_a_shape_without_a_meaning_has_one_line(name: str) -> None:
    row, line = LINES[name]
    with pytest.raises(InvalidRow) as caught:
        read(row)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_named_columns_go_without_the_choices() -> None:
    row = {"question": Q, "choices": ["Blue.", "Red."], "answer": A}
    assert read(row, instruction="question", response="answer") == SAID


def test_named_columns_may_have_any_case() -> None:
    assert read({"Instruction": "no", "Ask": Q, "OUTPUT": A}, instruction="Ask") == SAID
    assert read({"Instruction": Q, "OUTPUT": A}, instruction="Instruction", response="OUTPUT") == SAID


def test_turns_of_texts_alternate_if_the_user_says_so() -> None:
    assert read({"turns": [Q, A]}, messages="turns") == SAID
    assert read({"turns": [Q, Q], "prompt": Q, "completion": A}) == SAID


def test_a_typed_file_keeps_the_columns_that_decide_in_any_spelling(tmp_path: Path) -> None:
    rows = [
        {"Instruction": Q, "OUTPUT": A, "Label": True, "Thinking": "Sky.", "blob": b"x"},
        {"Instruction": "Name another.", "OUTPUT": B, "Label": False, "Thinking": None, "blob": b"x"},
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "rows.parquet")
    file = SeedFile(SeedsConfig(path=str(tmp_path)))
    assert file.scan().reasons == {"Label: expected a wanted answer": 1}
    assert [seed.messages for seed in file.seeds()] == [(Message("user", Q), Message("assistant", A, "Sky."))]
