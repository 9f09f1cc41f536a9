"""Rows that could mean two things, and the line that each gets."""

from __future__ import annotations

from typing import Any

import pytest

from staragents.data.readers.raw_row import InvalidRow
from tests.support.read_row import read_row
from tests.support.wild_turns import ANSWER, EARLIER, GREETING, SAID, USER, A, B, Q, about

UNWANTED = "expected a wanted answer"
UNLEARNT = "expected an answer to learn from"
DEEP: Any = "text"
for _ in range(950):
    DEEP = [DEEP]

LINES: dict[str, tuple[dict[str, Any], str]] = {
    "turns nested too deeply": (
        {"context": "I", "messages": [USER, {"role": "assistant", "content": DEEP}]},
        "context: expected a text that is part of messages",
    ),
    "passages beside turns": (
        {"contexts": ["I", "I2"], "messages": [USER, ANSWER]},
        "contexts: expected a text that is part of messages",
    ),
    "input and context": (
        {"instruction": Q, "input": "I", "context": "I2", "output": A},
        "input: input, context could each be the input: set seeds.columns.input",
    ),
    "two articles": (
        {"question": Q, "article": "I", "passage": "I2", "answer": A},
        "article: article, passage could each be the input",
    ),
    "instruction and prompt": (
        {"instruction": "Be brief.", "prompt": Q, "output": A},
        "instruction: instruction, prompt could each be the instruction: set seeds.columns.instruction",
    ),
    "a list of messages and an input": (
        {"prompt": [USER], "context": "I", "completion": A},
        "context: expected all turns in prompt, got 'I': set seeds.columns.messages to prompt to leave "
        "context out",
    ),
    "an answer that is a message, and an input": (
        {"instruction": Q, "input": "I", "output": [ANSWER]},
        "input: expected all turns in instruction",
    ),
    "earlier turns that are a text": (
        {"dialogue_history": "Hello.", "question": Q, "answer": A},
        "dialogue_history: expected a list of exchanges, got 'Hello.'",
    ),
    "turns without their context": (
        {"context": "I", "messages": [USER, ANSWER]},
        "context: expected a text that is part of messages, got 'I': set seeds.columns.messages to messages "
        "to leave context out, or seeds.columns.system to context",
    ),
    "a chosen conversation without its context": (
        {"context": "I", "chosen": f"\n\nHuman: {Q}\n\nAssistant: {A}", "rejected": B},
        "context: expected a text that is part of chosen, got 'I': set seeds.columns.messages to chosen",
    ),
    "a text without its article": (
        {"article": "I", "text": f"<s>[INST] {Q} [/INST] {A}</s>"},
        "article: expected a text that is part of text, got 'I': set seeds.columns.messages to text",
    ),
    "a chosen conversation about something else": (
        {"prompt": "Name a number.", "chosen": [USER, ANSWER], "rejected": []},
        "prompt: expected a text that is part of chosen, got 'Name a number.': set seeds.columns.messages to",
    ),
    "a context that is an object": (
        {"question": Q, "context": {"title": ["I"]}, "answer": A},
        "context: expected text, got an object: set seeds.columns.input to another column, or to nothing",
    ),
    "turns that obey an instruction": (
        {"instruction": "Be brief.", "conversation": [{"input": Q, "output": A}]},
        "instruction: expected a text that is part of conversation",
    ),
    "turns beside other chosen ones": (
        {"conversation": [{"input": Q, "output": B}], "chosen": [USER, ANSWER], "rejected": []},
        "chosen: conversation, chosen could each be the conversation: set seeds.columns.messages to one",
    ),
    "turns beside another chosen text": (
        {"messages": [USER, {**ANSWER, "content": B}], "chosen": A},
        "chosen: messages, chosen could each be the conversation",
    ),
    "a later exchange of a chain": (
        {"instruction": "And then?", "output": A, "id": 2, "parent_id": 1},
        "parent_id: expected a whole conversation, got an exchange that continues another row",
    ),
    "a rejected conversation before another": (
        {"rejected": [USER, ANSWER], "better": [USER, ANSWER]},
        "is 'better' a conversation? then set seeds.columns.messages",
    ),
    "a pair of two questions": (
        {"conversation": [{"instruction": "Be brief.", "input": Q, "output": A}]},
        "conversation[0].input: expected one of input and instruction in a turn, got input, instruction",
    ),
    "answers that are objects": (
        {"prompt": Q, "answers": [{"answer": A, "rank": 1}, {"answer": B, "rank": 2}]},
        "answers[0]: expected an object with role and content",
    ),
    "the chosen turn after those of another column": (
        {"conversations": [*GREETING, USER], "chosen": [{"role": "robot", "content": A}]},
        "chosen[0].role: expected assistant, got 'robot'",
    ),
    "answers in a cell of CSV": (
        {"context": "I", "question": Q, "answers": "{'text': ['A'], 'answer_start': [0]}"},
        "response: expected the columns of a known format",
    ),
    "two system prompts": (
        {"system": "S", "system_prompt": "S2", "instruction": Q, "output": A},
        "system: system, system_prompt could each be the system: set seeds.columns.system",
    ),
    "two system prompts of turns": (
        {"system": "S", "system_prompt": "S2", "messages": [USER, ANSWER]},
        "system: system, system_prompt could each be the system: set seeds.columns.system",
    ),
    "turns with another system prompt": (
        {"system": "S", "messages": [{"role": "system", "content": "Own."}, USER, ANSWER]},
        "system: expected a text that is part of the conversation's own system prompt, got 'S': set "
        "seeds.columns.system to nothing to leave it out",
    ),
    "two histories": (
        {"history": [["Hello.", "Hi."]], "chat_history": [["No.", "Yes."]], "question": Q, "answer": A},
        "history: history, chat_history could each be the history: set seeds.columns.history",
    ),
    "turns without their history as a transcript": (
        {"history": "User: No.\nAssistant: Hi.", "messages": [*GREETING, USER, ANSWER]},
        "history: expected a text that is part of messages, got 'User: No.",
    ),
    "turns without a history of unknown form": (
        {"history": [{"first": "Hello.", "then": "No."}], "messages": [*GREETING, USER, ANSWER]},
        "history: expected a text that is part of messages",
    ),
    "a chosen message that the turns lack": (
        {"messages": [USER, ANSWER], "chosen": [USER, {**ANSWER, "content": B, "id": A}]},
        "chosen: messages, chosen could each be the conversation",
    ),
    "turns without their history": (
        {"chat_history": '[["Hello.", "Hi."]]', "messages": [USER, ANSWER]},
        'chat_history: expected a text that is part of messages, got \'[["Hello.", "Hi."]]\': set '
        "seeds.columns.messages to messages to leave chat_history out",
    ),
    "two conversations": (
        {
            "conversations": [{"from": "human", "value": Q}, {"from": "gpt", "value": B}],
            "messages": [USER, ANSWER],
        },
        "messages: messages, conversations could each be the conversation: set seeds.columns.messages to one",
    ),
    "two conversations, one in pairs": (
        {"conversation": [{"input": Q, "output": B}], "messages": [USER, ANSWER]},
        "messages: messages, conversation could each be the conversation",
    ),
    "turns beside another answer": (
        {"messages": [USER, ANSWER], "response": B},
        "response: expected a text that is part of messages, got 'Red.': set seeds.columns.messages to "
        "messages to leave response out",
    ),
    "turns beside another answer as a reply": (
        {"messages": [USER, ANSWER], "output": {"choices": [{"message": {**ANSWER, "content": B}}]}},
        "output: expected a text that is part of messages",
    ),
    "turns that are none beside a chosen text": (
        {"messages": {"": None}, "chosen": A, "output": True},
        "messages: expected a list of messages",
    ),
    "tools beside other functions": (
        {"tools": [{"name": "f"}], "functions": "F", "question": Q, "answer": A},
        "tools: tools, functions could each be the tools: leave one of them empty",
    ),
    "no answer in a list": ({"instruction": Q, "output": []}, "output: expected text or a list of messages"),
    "an answer of true": ({"question": Q, "answer": True}, "answer: expected text, got True"),
    "labels": ({"prompt": Q, "completion": B, "labels": False}, f"labels: {UNWANTED}, got False"),
    "desired": ({"prompt": Q, "completion": B, "desired": False}, f"desired: {UNWANTED}"),
    "isCorrect": ({"question": Q, "answer": B, "isCorrect": False}, f"isCorrect: {UNWANTED}"),
    "Is Preferred": ({"prompt": Q, "response": B, "Is Preferred": "no"}, f"Is Preferred: {UNWANTED}"),
    "answer_accepted": ({"question": Q, "answer": B, "answer_accepted": 0}, f"answer_accepted: {UNWANTED}"),
    "rejected": ({"prompt": Q, "completion": B, "rejected": True}, f"rejected: {UNWANTED}, got True"),
    "is_bad": ({"messages": [USER, ANSWER], "is_bad": 1}, f"is_bad: {UNWANTED}, got 1"),
    "a label in CSV": ({"question": Q, "answer": B, "correct": "False"}, f"correct: {UNWANTED}, got 'False'"),
    "is_valid": ({"problem": Q, "solution": B, "is_valid": "invalid"}, f"is_valid: {UNWANTED}"),
    "incomplete": (
        {"problem": Q, "solution": B, "solution_is_valid": "Incomplete"},
        "solution_is_valid: expected a label of true or false, got 'Incomplete'; to take all rows",
    ),
    "is_correct_answer": ({"question": Q, "answer": B, "is_correct_answer": False}, f"answer: {UNWANTED}"),
    "label of a word": (
        {"prompt": Q, "completion": B, "label": "wrong"},
        "expected a label of true or false",
    ),
    "skip": ({"messages": [USER, {**ANSWER, "skip": "yes"}]}, f"messages[1].skip: {UNLEARNT}"),
    "no_train": ({"messages": [USER, {**ANSWER, "no_train": True}]}, f"messages[1].no_train: {UNLEARNT}"),
    "masked": ({"messages": [USER, {**ANSWER, "masked": True}]}, f"messages[1].masked: {UNLEARNT}, got True"),
    "do_train": ({"messages": [USER, {**ANSWER, "do_train": 0}]}, f"messages[1].do_train: {UNLEARNT}"),
}
"""A row of each shape that is no seed, and a part of what the user reads."""


@pytest.mark.parametrize("name", LINES)
def test_a_row_that_could_mean_two_things_has_one_line(name: str) -> None:
    row, line = LINES[name]
    with pytest.raises(InvalidRow) as caught:
        read_row(row)
    assert line in str(caught.value)


@pytest.mark.parametrize(
    ("row", "columns", "said"),
    [
        (LINES["input and context"][0], {"input": "context"}, about("I2")),
        (LINES["a context that is an object"][0], {"input": ""}, SAID),
        (LINES["a chosen conversation without its context"][0], {"messages": "chosen"}, SAID),
        (LINES["a text without its article"][0], {"messages": "text"}, SAID),
        (LINES["a text without its article"][0], {"system": "article"}, (("system", "I"), *SAID)),
        (LINES["a chosen conversation about something else"][0], {"messages": "chosen"}, SAID),
        ({"system": "S", "question": Q, "answer": A}, {"system": ""}, SAID),
        ({"system": "S", "messages": [USER, ANSWER]}, {"system": ""}, SAID),
        (LINES["instruction and prompt"][0], {"instruction": "prompt"}, SAID),
        (LINES["a list of messages and an input"][0], {"messages": "prompt"}, SAID),
        (LINES["turns without their context"][0], {"messages": "messages"}, SAID),
        (
            LINES["turns that obey an instruction"][0],
            {"system": "instruction"},
            (("system", "Be brief."), *SAID),
        ),
        (LINES["turns beside other chosen ones"][0], {"messages": "chosen"}, SAID),
        (
            LINES["a later exchange of a chain"][0],
            {"instruction": "instruction", "response": "output"},
            (("user", "And then?"), ("assistant", A)),
        ),
        (LINES["labels"][0], {"label": ""}, (SAID[0], ("assistant", B))),
        (LINES["two system prompts"][0], {"system": "system_prompt"}, (("system", "S2"), *SAID)),
        (LINES["two system prompts of turns"][0], {"system": ""}, SAID),
        (LINES["turns with another system prompt"][0], {"system": ""}, (("system", "Own."), *SAID)),
        (LINES["two histories"][0], {"history": "history"}, (*EARLIER, *SAID)),
        (LINES["turns without their history"][0], {"messages": "messages"}, SAID),
        (LINES["turns without their history"][0], {"history": ""}, SAID),
        (LINES["two conversations"][0], {"messages": "messages"}, SAID),
        (LINES["turns beside another answer"][0], {"messages": "messages"}, SAID),
    ],
)
def test_the_line_names_the_setting_that_decides(
    row: dict[str, Any], columns: dict[str, str], said: tuple[tuple[str, str], ...]
) -> None:
    assert read_row(row, **columns) == said
