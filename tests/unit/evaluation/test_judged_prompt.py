"""Which held-out prompts students answer for the judge."""

from __future__ import annotations

import random

import pytest

from staragents.base.errors import BadInput
from staragents.base.messages import Message
from staragents.config import EvaluationConfig
from staragents.evaluation.held_out import ANSWER, HeldOut
from staragents.evaluation.judged_prompt import JudgedPrompt, judged_prompts
from tests.support.fake_student import FakeStudent


def conversation(number: int, words: int) -> HeldOut:
    return HeldOut(f"c{number}", (Message("user", "w" * (number + 1) + " w" * (words - 1)),), {ANSWER: "yes"})


def chosen(held_out: list[HeldOut], prompts: int = 50, answer_tokens: int = 8) -> tuple[JudgedPrompt, ...]:
    settings = EvaluationConfig(judged_prompts=prompts, answer_tokens=answer_tokens)
    return judged_prompts(held_out, FakeStudent(20), settings)  # type: ignore[arg-type]


HELD_OUT = [conversation(number, words=3) for number in range(40)]


def test_the_choice_depends_on_no_order_and_more_prompts_only_add_some() -> None:
    few, many = ({one.conversation_id for one in chosen(HELD_OUT, prompts)} for prompts in (10, 20))
    assert (len(few), len(many)) == (10, 20)
    assert few < many
    shuffled = HELD_OUT[:]
    random.Random(0).shuffle(shuffled)
    assert {one.conversation_id for one in chosen(shuffled, 10)} == few
    names = [one.conversation_id for one in chosen(HELD_OUT, 10)]
    assert names == [one.conversation_id for one in HELD_OUT if one.conversation_id in few]


def test_a_prompt_is_what_training_has_before_the_answer() -> None:
    assert chosen([conversation(4, words=2)]) == (JudgedPrompt("c4", (0, 5, 1)),)


def test_prompts_without_room_and_repeated_ones_are_not_judged() -> None:
    fits, too_long = conversation(0, words=11), conversation(1, words=12)
    again = HeldOut("again", fits.prompt, {ANSWER: "another answer"})
    assert [one.conversation_id for one in chosen([fits, too_long, again])] == ["c0"]
    with pytest.raises(BadInput, match=r"^evaluation.answer_tokens: expected .* room for 9 tokens .* \(20\)"):
        chosen([fits, too_long], answer_tokens=9)
