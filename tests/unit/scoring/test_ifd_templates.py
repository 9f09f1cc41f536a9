from staragents.base.messages import Message
from staragents.config import Template
from staragents.scoring.templates import prompt_text

SYSTEM = Message("system", "Be brief.")
FIRST = (Message("user", "Hi"), Message("assistant", "Hello"))
LAST = Message("user", "Name a fruit.\nA red one.")


class ChatTokenizer:
    """Records the arguments of the chat template."""

    def apply_chat_template(
        self, messages: list[dict[str, str]], *, tokenize: bool, add_generation_prompt: bool
    ) -> str:
        assert not tokenize
        assert add_generation_prompt
        return "".join(f"<{m['role']}>{m['content']}" for m in messages) + "<assistant>"


def test_plain_is_the_instruction_and_a_newline() -> None:
    assert prompt_text((LAST,), Template.plain, None) == "Name a fruit.\nA red one.\n"


def test_plain_writes_every_turn_before_the_answer() -> None:
    text = prompt_text((SYSTEM, *FIRST, LAST), Template.plain, None)
    assert text == "Be brief.\nHi\nHello\nName a fruit.\nA red one.\n"


def test_chat_asks_the_tokenizer_for_a_generation_prompt() -> None:
    text = prompt_text((SYSTEM, LAST), Template.chat, ChatTokenizer())
    assert text == "<system>Be brief.<user>Name a fruit.\nA red one.<assistant>"


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
        assert prompt_text((), template, ChatTokenizer()) == ""
        assert prompt_text((Message("user", ""),), template, ChatTokenizer()) == ""
