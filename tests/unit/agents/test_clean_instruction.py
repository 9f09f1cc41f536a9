"""What small models write around an instruction is removed; an instruction that looks like it stays."""

from __future__ import annotations

import pytest

from staragents.agents.clean_instruction import clean_instruction


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  Name two.\n", "Name two."),
        ("New instruction: Name two.", "Name two."),
        ("**Rewritten instruction:** Name two.", "Name two."),
        ("Instruction:\nName two.", "Name two."),
        ('"Name two."', "Name two."),
        ("\u201cName two.\u201d", "Name two."),
        ('New instruction: "Name two."', "Name two."),
        ("User: Name two.", "Name two."),
        ("**User:** Name two.", "Name two."),
        (
            "User: Name two of these.\n- User: Ann\n- Admin: Bo",
            "Name two of these.\n- User: Ann\n- Admin: Bo",
        ),
        ("**Human**: Name two.", "Name two."),
        ('New instruction: user: "Name two."', "Name two."),
        ("```\nName two.\n```", "Name two."),
        ("```text\nName two.\n```", "Name two."),
        ("Here's a revised version of the instruction:\n\nName two.", "Name two."),
        ("Sure! Here is the new prompt: Name two.", "Name two."),
        ('Here\'s a rewritten version:\n\n"Name two."\n\nThis instruction asks for more.', "Name two."),
    ],
)
def test_text_that_small_models_wrap_around_an_instruction_is_removed(text: str, expected: str) -> None:
    assert clean_instruction(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        '"To be or not to be"\n\nWho wrote this?',
        '"Yes" or "no": which is shorter?',
        "Here is a poem. Rewrite it without the letter e.",
        "Here are three words: cat, dog, cow. Sort them.",
        "'Tis the season: what does it mean?",
        "Explain this code:\n```\nx = 1\n```",
        "User: Hello.\nAssistant: Hello.\nUser: Name two.",
        "User stories: what are they for?",
        "Question the motives of Hamlet: who gains?",
        "Follow these instructions: sit, then stand.",
    ],
)
def test_an_instruction_that_only_looks_wrapped_is_left_alone(text: str) -> None:
    assert clean_instruction(text) == text
