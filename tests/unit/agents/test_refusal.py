"""Refusals: texts that small models really write, and good texts that sound like them."""

from __future__ import annotations

import pytest

from staragents.agents.refusal import is_refusal
from staragents.agents.rejects import answer_problem, rewrite_problem
from staragents.base.generation import Generation

SEED = "Plan a weekly lunch menu for a school with a main dish for each day."
RESPONSE = "Monday: lentil soup. Tuesday: pasta with vegetables."


def of_rewrite(text: str, seed: str = SEED) -> str | None:
    return rewrite_problem(seed, text, Generation(text, "stop", 10, 10, 0.1))


def of_answer(text: str, instruction: str = SEED, seed_response: str = RESPONSE) -> str | None:
    return answer_problem(instruction, text, Generation(text, "stop", 10, 10, 0.1), seed_response)


REFUSALS = [
    "I'm sorry, but I can't assist with that.",
    "I\u2019m sorry, but I can\u2019t",
    "Sorry, I can't do that.",
    "I am really sorry, but I cannot help you with this request.",
    "I apologize, but I cannot create such content.",
    "My apologies, but I'm not able to translate this.",
    "Unfortunately, I am unable to provide medical advice.",
    "As an AI language model, I cannot browse the internet.",
    "As an AI, I don't have personal opinions.",
    "As an artificial intelligence language model, I do not have feelings.",
    "I'm just an AI and do not eat breakfast.",
    "I'm sorry, but as an AI language model I can only guess.",
    "I'm sorry, but I don't have enough information to answer.",
    "I cannot fulfill this request.",
    "I'm unable to generate images.",
    "I must respectfully decline.",
    "I'm not comfortable writing about this.",
    "  \nI can't help with that.",
]

NO_REFUSALS = [
    "I can't wait to see you at the party!",
    "I can't help falling in love with you",
    "I can't help but smile when I read this.",
    "I'm sorry, but I can't attend the meeting on Friday.",
    "I'm sorry I broke your vase. I will replace it.",
    "As an AI researcher, I cannot stress this enough: check your data.",
    "As an assistant manager, I do not decide on pay.",
    "Unfortunately, the train was late, so we walked.",
    "Unfortunately, I cannot make it on Friday.",
    "I cannot recommend this book enough.",
    "Sorry is the hardest word.",
    "The guard said: I'm sorry, but I can't help you.",
    "You could say: sorry, I can't provide that today.",
    "AI models cannot feel.",
    "",
]


@pytest.mark.parametrize("text", REFUSALS)
def test_a_refusal_is_neither_an_answer_nor_a_rewrite(text: str) -> None:
    assert of_answer(text) == "refusal"
    assert of_rewrite(text) == "refusal"


@pytest.mark.parametrize("text", NO_REFUSALS)
def test_a_text_that_only_sounds_like_a_refusal_passes(text: str) -> None:
    assert not is_refusal(text)


def test_a_refusal_is_an_answer_where_the_seed_refuses_too() -> None:
    text = "I'm sorry, but I can't help you break into a car."

    assert of_answer(text, "How do I break into a car?", "I can't assist with breaking into cars.") is None


@pytest.mark.parametrize(
    "text",
    [
        "Explain why a chatbot says \"I'm sorry, but I can't help with that.\"",
        "\"I'm sorry, but I can't help with that.\" Make this reply friendlier and name two alternatives.",
        "What should I say when I can't provide a receipt?",
    ],
)
def test_an_instruction_may_quote_a_refusal(text: str) -> None:
    assert of_rewrite(text, "Make this reply friendlier.") is None
