"""Reject rules: tables of texts that small models really write, and of good texts that look like them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from staragents.agents.prompt_templates import load_prompt, shipped_prompts
from staragents.agents.rejects import REASONS, answer_problem, rewrite_problem
from staragents.base.generation import Generation
from tests.support.growth import assert_linear

SEED = "Plan a weekly lunch menu for a school with a main dish for each day."
RESPONSE = "Monday: lentil soup. Tuesday: pasta with vegetables."


def generated(text: str, cut_off: bool = False) -> Generation:
    return Generation(text, "length" if cut_off else "stop", 10, 10, 0.1)


def of_rewrite(text: str, seed: str = SEED) -> str | None:
    return rewrite_problem(seed, text, generated(text))


def of_answer(text: str, instruction: str = SEED, seed_response: str = RESPONSE) -> str | None:
    return answer_problem(instruction, text, generated(text), seed_response)


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        ("empty", ""),
        ("empty", "  \n "),
        ("empty", "..."),
        ("empty", '""'),
        ("prompt_leak", "Rewrite each instruction so that it asks for a menu in more depth and detail."),
        ("prompt_leak", "Plan a menu with five dishes. Reply with the new instruction only."),
        ("prompt_leak", "Plan a menu for a school kitchen<|im_end|> with five cheap dishes"),
        ("prompt_leak", "User: Plan it for 12 pupils.\nAssistant: Lentil soup on Monday, pasta on Tuesday."),
        ("prompt_leak", "Plan it for 12 pupils who eat no meat.\n\n**Assistant**: Lentil soup on Monday."),
        ("prompt_leak", "The given instruction asks for a menu that has five dishes and a soup."),
        ("answered", "Yes, you can cook lentil soup on Monday and pasta on Tuesday."),
        ("answered", "The answer to this is lentil soup for every day."),
        ("answered", "Here's a list of dishes that children like."),
        ("answered", "Here are some ideas for a weekly menu that is cheap."),
        ("answered", "Here are a few ideas to consider: soup, pasta, rice."),
        ("answered", "To plan a menu for a week, you would start with the soup. Then the rest."),
        ("answered", "There are five dishes for a week."),
        ("answered", "You can have lentil soup on Monday and pasta on Tuesday!"),
        ("answered", "A good menu that has a main dish for each day and no nuts."),
        ("no_change", SEED),
        ("no_change", SEED.upper() + "  "),
        ("no_change", "Plan a weekly lunch menu for a school."),
        ("no_change", "Plan a weekly dinner menu for a school with a main dish for each day."),
        (
            "damaged",
            "Plan a menu with cr\ufffdpes for a school, with a main dish for each day and its price.",
        ),
        ("repetition", "Plan a menu, and say why " + "it is good for you, and say why " * 4),
        ("too_long", " ".join(f"dish{i}" for i in range(140))),
    ],
)
def test_a_rewrite_that_failed_has_its_reason(reason: str, text: str) -> None:
    assert of_rewrite(text) == reason
    assert reason in REASONS


@pytest.mark.parametrize(
    "text",
    [
        "Plan a weekly lunch menu for a school with a main dish for each day and no nuts.",
        "Plan a weekly lunch menu for 240 pupils, with a main dish a day that costs at most 2 euros.",
        "There are 240 pupils, and 12 eat no meat. Plan a menu for five days.",
        "The school has no oven: plan five lunches.",
        "The cook is ill, so what can 12 pupils cook for all?",
        "How would a school kitchen halve its food waste without smaller portions?",
        "No school lunch is perfect: name five flaws of a weekly menu and how to plan around them.",
        "\u00bfC\u00f3mo se planifica el men\u00fa de una escuela?",
        "\u4e3a\u5b66\u6821\u8bbe\u8ba1\u4e00\u5468\u7684\u5348\u9910\u83dc\u5355\uff0c\u6bcf\u5929\u4e24\u9053\u83dc\u3002",
    ],
)
def test_a_good_rewrite_passes(text: str) -> None:
    assert of_rewrite(text) is None


def test_a_text_that_reached_max_tokens_is_cut_off() -> None:
    text = "Plan a weekly lunch menu for 240 pupils, with a main dish a day that"

    assert rewrite_problem(SEED, text, generated(text, cut_off=True)) == "cut_off"
    assert answer_problem(SEED, text, generated(text, cut_off=True), RESPONSE) == "cut_off"


@pytest.mark.parametrize("name", shipped_prompts("instruction"))
def test_our_own_system_text_never_passes_as_a_rewrite(name: str) -> None:
    system = (
        load_prompt("instruction", name).render(instruction="Name a quokka.", history="").turns[0].content
    )

    assert of_rewrite(system) == "prompt_leak"


def test_a_statement_may_be_an_instruction_where_the_seed_is_one_too() -> None:
    assert of_rewrite("A story about a dog that guards a bakery.", "A story about a dog.") is None


@pytest.mark.parametrize("name", shipped_prompts("instruction"))
def test_the_words_of_our_examples_are_no_rewrite_of_another_instruction(name: str) -> None:
    turns = load_prompt("instruction", name).render(instruction="Name a quokka.", history="").turns
    examples = [turn.content for turn in turns if turn.role == "assistant"]

    assert [of_rewrite(example) for example in examples] == ["prompt_leak"] * 3
    assert of_rewrite(f"Plan a menu for a school, {examples[-1][4:]}") == "prompt_leak"


def test_marker_words_that_the_seed_itself_uses_are_no_leak() -> None:
    seed = "Summarise what the new instruction from head office says about lunch."

    assert (
        of_rewrite("Summarise in 30 words what the new instruction from head office demands.", seed) is None
    )


def test_a_conversation_within_the_seeds_own_instruction_is_no_leak() -> None:
    seed = "Continue.\nUser: Is lunch ready?\nAssistant: Not yet, the soup is cold."
    assert of_rewrite(f"{seed}\nUser: And how long will it take to heat it for 240 pupils?", seed) is None


@pytest.mark.parametrize(
    ("seed", "text"),
    [
        (
            "Design a database schema for a bookshop.",
            "Design a database schema for a bookshop with these tables.\n- User: id, name\n- Order: id, date",
        ),
        (
            "Design a schema.",
            "Design a schema for three tables and explain them.\n* Assistant: id\n* Shop: id",
        ),
        (
            "Design a schema.",
            "Design a schema for these two tables.\nManager: id, name\nAssistant: id, manager",
        ),
        (
            "Explain CSS selectors.",
            "Explain these CSS selectors, and why one wins.\n.user::before\nuser:hover",
        ),
        (
            "Write a short dialogue with a chatbot.",
            "Write a short dialogue with a chatbot in this format:\nHuman: ...\nAssistant: ...\nUse 6 lines.",
        ),
        ("Write a form letter.", "Write the last line of a form letter in this format:\n\nAssistant: ..."),
        ("Compare people and machines.", "Compare how both learn in two columns.\nHuman:\nMachine:"),
        ("Go on: User: Hi! Assistant: Hi!", "User: Hi!\nAssistant: Hi!\nUser: How do I get to the harbour?"),
    ],
)
def test_labels_without_an_assistants_turn_are_no_leak(seed: str, text: str) -> None:
    assert of_rewrite(text, seed) is None


@pytest.mark.parametrize(
    "text",
    [
        "User: Write a manual.\nAssistant: Sure: open the box.\nUser: Thanks, now make it shorter please",
        "### Human:\nWrite a manual for a lamp.\n\n### Assistant:\nOpen the box.",
        "Write a manual for a lamp in ten lines.\nAssistant: Open the box.",
        "Assistant: Write a manual for a lamp in ten lines.",
    ],
)
def test_words_of_the_seed_are_no_labels_of_its_own(text: str) -> None:
    assert (
        of_rewrite(text, "Write a user manual with the help of an assistant, human readable.")
        == "prompt_leak"
    )


def test_a_rewrite_must_not_lose_the_text_it_is_about() -> None:
    seed = "Correct the grammar of this sentence.\n\nHe go to school every days with her brothers."
    kept = "Correct this sentence and explain each change: He go to school every days with her brothers."

    assert (
        of_rewrite("Correct the grammar of this sentence, and explain each change you made.", seed)
        == "lost_input"
    )
    assert of_rewrite("Turn these words into a rule for verbs.", seed) == "lost_input"
    assert of_rewrite(kept, seed) is None
    assert of_rewrite("Which verbs change their vowel in the past tense?", seed) is None


@pytest.mark.parametrize(
    ("seed", "text"),
    [
        ("Translate hello.", "Translate goodbye."),
        ("\u5199\u8bd7", "\u5199\u4e00\u9996\u5173\u4e8e\u6d77\u7684\u8bd7"),
    ],
)
def test_one_word_is_a_change_in_a_short_instruction(seed: str, text: str) -> None:
    assert of_rewrite(text, seed) is None


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        ("empty", " \n"),
        ("echo", SEED),
        ("echo", "plan a weekly lunch menu for a school, with a main dish for each day!"),
        ("prompt_leak", "Lentil soup.\nUser: And on Tuesday?"),
        ("prompt_leak", "Assistant: Lentil soup."),
        ("prompt_leak", "**Assistant**: Lentil soup.\nNote: it has salt."),
        ("prompt_leak", "Lentil soup.\n**User**: And on Tuesday?\nAnswer: Pasta."),
        ("prompt_leak", "User: And on Tuesday?\nAssistant: Pasta."),
        ("prompt_leak", "Lentil soup.\n### Instruction: Name a soup."),
        ("prompt_leak", "Lentil soup.<|im_start|>user"),
        ("damaged", "Monday: cr\ufffdpes with lentils. Tuesday: soup."),
        ("prompt_leak", "Lentil soup on all days.</s>"),
        ("prompt_leak", "<s>Lentil soup on all days.</s>"),
        ("repetition", "1. Soup with bread\n" * 8),
        ("repetition", "\n".join(f"{i}. Include a list of your own projects" for i in range(1, 9))),
        ("repetition", "very " * 30),
        ("repetition", " ".join(f"the soup is good on day {'abc'[i % 3]} and" for i in range(12))),
    ],
)
def test_an_answer_that_failed_has_its_reason(reason: str, text: str) -> None:
    assert of_answer(text) == reason


@pytest.mark.parametrize(
    ("instruction", "text"),
    [
        (SEED, RESPONSE),
        (SEED, "Sorry to be brief: soup on all five days."),
        ("Pick a mood with one emoji.", "\U0001f600"),
        ("Which operator adds?", "+"),
        ("Say hello.", "Hello."),
        ("Correct: He go to school with his older brothers.", "He goes to school with his older brothers."),
        ("Soup is on Monday and pasta on Tuesday. Fix typos.", "Soup is on Monday and pasta on Tuesday."),
        ("Write a dialogue between a user and a bot.", "User: Hi!\nBot: Hello."),
        (
            "Write a dialogue of a person and a chatbot.",
            "**Human**: Hi!\n**Chatbot**: Hello!\n**Human**: Bye!",
        ),
        ("Write a dialogue of a person and a chatbot.", "Here it is:\n\n**Human:** Hi!\n**Chatbot:** Hello!"),
        ("Write a dialogue in a shop.", "Shop owner: Hi!\nAssistant: Hello!\nShop owner: To work!"),
        ("Design tables for a bookshop.", "These are the tables.\n- User: id, name\n- Order: id, date"),
        ("Sing for Ann.", f"{'Happy birthday to you, ' * 2}happy birthday, dear Ann, happy birthday to you!"),
        ("A 4x3 zero matrix?", "[[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]"),
        ("Show a discount in HTML.", "Use a tag: <p>Now <s>20</s> 15 euros</p>"),
        ("How do I strike out text?", "The tags `<s>` and `</s>` do it."),
        ("Print x three times.", "print(x)\nprint(x)\nprint(x)"),
    ],
)
def test_a_good_answer_passes(instruction: str, text: str) -> None:
    assert of_answer(text, instruction) is None


def test_loops_and_echoes_pass_where_the_seed_has_them() -> None:
    lines = "I will not talk in class.\n" * 20

    assert of_answer(lines, "Write the line twenty times.", lines) is None
    assert of_answer("Say these four words", "Say these four words", "Say these four words") is None


@settings(deadline=None)
@given(st.text(max_size=200), st.text(max_size=200), st.text(max_size=200), st.booleans())
def test_any_text_gets_a_known_reason_or_none(seed: str, text: str, response: str, cut_off: bool) -> None:
    generation = generated(text, cut_off)

    assert rewrite_problem(seed, text, generation) in {None, *REASONS}
    assert answer_problem(seed, text, generation, response) in {None, *REASONS}


def test_a_loop_of_empty_lines_takes_linear_time() -> None:
    def check(size: int) -> None:
        text = "-\n" * size
        assert answer_problem("Say it.", text, generated(text), "It.") is None

    assert_linear(check, 12_500)


def test_a_broken_character_of_the_seeds_own_may_stay() -> None:
    text = "Plan a weekly menu with cr\ufffdpes, soup and bread for a school, and say what each dish costs."
    assert of_rewrite(text, seed=f"{SEED} There must be cr\ufffdpes.") is None
    assert of_answer("Crepes: cr\ufffdpes.", instruction="How is cr\ufffdpes spelt?") is None


@pytest.mark.parametrize(
    ("generation", "reason"),
    [
        (
            Generation("", "length", 9, 9, 0.1, reasoning="Okay, the user", reasoning_tokens=9),
            "thought_cut_off",
        ),
        (Generation(" ", "length", 9, 9, 0.1, reasoning_tokens=9), "thought_cut_off"),
        (Generation("", "stop", 9, 9, 0.1, reasoning="Okay."), "empty"),
        (Generation("", "length", 9, 9, 0.1), "empty"),
        (Generation("Plan a", "length", 9, 9, 0.1, reasoning="Okay."), "cut_off"),
        (Generation("", "content_filter", 9, 0, 0.1), "content_filter"),
        (Generation("Plan a menu", "content_filter", 9, 3, 0.1), "content_filter"),
    ],
)
def test_a_text_that_was_never_finished_has_its_own_reason(generation: Generation, reason: str) -> None:
    text = generation.text.strip()
    assert rewrite_problem(SEED, text, generation) == reason
    assert answer_problem(SEED, text, generation, RESPONSE) == reason
    assert reason in REASONS


def test_a_thought_between_two_answers_is_rejected_unless_the_seed_has_one() -> None:
    again = "Monday: soup.\n<think>\nAnother dish?\n</think>\nTuesday: pasta."
    assert of_answer(again) == of_rewrite(f"Plan a dinner menu.\n{again}") == "thought_leak"
    assert of_answer(again, seed_response=again) is None
    assert of_answer(f"```\n{again}\n```") is None
    assert of_answer("Monday: soup. It has a <think> tag, and a </think> tag.") is None
