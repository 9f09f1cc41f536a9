from typing import Any

import pytest

from staragents.base.messages import Conversation, Message
from staragents.config import Template
from staragents.data.readers.row_messages import RowReader
from staragents.scoring.templates import prompt_text
from tests.support.chat_tokenizer import DATED, chat_tokenizer
from tests.support.clock import set_date

SYSTEM = Message("system", "Be brief.")
FIRST = (Message("user", "Hi"), Message("assistant", "Hello"))
LAST = Message("user", "Name a fruit.\nA red one.")


def test_plain_is_the_instruction_and_a_newline() -> None:
    assert prompt_text((LAST,), Template.plain, None) == "Name a fruit.\nA red one.\n"


def test_plain_writes_every_turn_before_the_answer() -> None:
    text = prompt_text((SYSTEM, *FIRST, LAST), Template.plain, None)
    assert text == "Be brief.\nHi\nHello\nName a fruit.\nA red one.\n"


def test_chat_asks_the_tokenizer_for_a_generation_prompt() -> None:
    text = prompt_text((SYSTEM, LAST), Template.chat, chat_tokenizer())
    assert text == "<system>Be brief.<user>Name a fruit.\nA red one.<assistant>"


def test_a_template_that_prints_the_date_is_the_same_on_another_day(monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer, texts = chat_tokenizer(DATED), set()
    for day in (1, 2):
        set_date(monkeypatch, 2027, 1, day)
        assert f"0{day} Jan 2027" in str(
            tokenizer.apply_chat_template([{"role": "user", "content": "Hi"}], tokenize=False)
        )
        texts.add(prompt_text((Message("user", "Hi"),), Template.chat, tokenizer))
    assert texts == {"<26 Jul 2024><user>Hi<assistant>"}


def test_alpaca_has_its_headers_and_keeps_earlier_turns() -> None:
    assert prompt_text((*FIRST, LAST), Template.alpaca, None) == (
        "Below is an instruction that describes a task. "
        "Write a response that appropriately completes the request.\n\n"
        "### Instruction:\nHi\n\n### Response:\nHello\n\n"
        "### Instruction:\nName a fruit.\nA red one.\n\n### Response:"
    )


def test_a_system_message_replaces_alpacas_preamble() -> None:
    text = prompt_text((SYSTEM, Message("user", "Hi")), Template.alpaca, None)
    assert text == "Be brief.\n\n### Instruction:\nHi\n\n### Response:"


def test_no_text_is_an_empty_prompt_in_every_template() -> None:
    for template in Template:
        assert prompt_text((), template, chat_tokenizer()) == ""
        assert prompt_text((Message("user", ""),), template, chat_tokenizer()) == ""


def before_the_answer(row: dict[str, Any]) -> Conversation:
    _, messages = RowReader(may_be_blank=True).read(row)
    return messages[:-1]


def superfiltering_prompt(instruction: str, given: str) -> str:
    """The prompt by shared/method.md, section 2."""
    return f"{instruction}\n" if given == "" else f"{instruction}\n{given}\n"


def alpaca_prompt(instruction: str, given: str) -> str:
    """The prompts of Stanford Alpaca."""
    if given == "":
        return (
            "Below is an instruction that describes a task. Write a response that appropriately completes "
            f"the request.\n\n### Instruction:\n{instruction}\n\n### Response:"
        )
    return (
        "Below is an instruction that describes a task, paired with an input that provides further context. "
        "Write a response that appropriately completes the request.\n\n"
        f"### Instruction:\n{instruction}\n\n### Input:\n{given}\n\n### Response:"
    )


@pytest.mark.parametrize(
    ("instruction", "given"),
    [
        ("Name three primary colours.", ""),
        ("Translate into German.", "Good morning."),
        ("Sum up:\n", "\nOne.\n\nTwo.\n"),
        ("Repeat.\n\nRepeat.", "Repeat."),
        ("Which letter is it?", " "),
        ("", "The sky"),
    ],
)
@pytest.mark.parametrize(
    "names", [("instruction", "input", "output"), ("instruction", "context", "response")]
)
def test_rows_with_an_input_have_the_published_prompts(
    instruction: str, given: str, names: tuple[str, str, str]
) -> None:
    messages = before_the_answer(dict(zip(names, (instruction, given, "It is blue."), strict=True)))
    assert prompt_text(messages, Template.plain, None) == superfiltering_prompt(instruction, given)
    assert prompt_text(messages, Template.alpaca, None) == alpaca_prompt(instruction, given)


def test_an_input_is_part_of_its_turn_for_a_chat_template() -> None:
    messages = before_the_answer({"instruction": "Translate.", "input": "Good morning.", "output": "Moin."})
    text = prompt_text(messages, Template.chat, chat_tokenizer())
    assert text == "<user>Translate.\n\nGood morning.<assistant>"


def test_an_input_keeps_its_place_among_other_turns() -> None:
    row = {"instruction": "Translate.", "input": "Moin.", "output": "Hi.", "history": [["Hello.", "Hey."]]}
    messages = before_the_answer(row)
    assert prompt_text(messages, Template.plain, None) == "Hello.\nHey.\nTranslate.\nMoin.\n"
    assert prompt_text((SYSTEM, *messages), Template.alpaca, None) == (
        "Be brief.\n\n### Instruction:\nHello.\n\n### Response:\nHey.\n\n"
        "### Instruction:\nTranslate.\n\n### Input:\nMoin.\n\n### Response:"
    )
