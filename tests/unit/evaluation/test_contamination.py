"""Held-out conversations that share texts with an arm."""

from __future__ import annotations

import random
import tracemalloc

import pytest

from staragents.base.errors import BadInput
from staragents.base.messages import Conversation, Message
from staragents.evaluation.arm import Arm, TrainingRow
from staragents.evaluation.contamination import without_contaminated
from staragents.evaluation.held_out import ANSWER, HeldOut

LONG = "the quick brown fox jumps over the lazy dog and runs home to its den tonight"


def asked(number: int, answer: str = "") -> HeldOut:
    prompt = (Message("user", f"What is the opposite of the number {number}?"),)
    return HeldOut(f"c{number}", prompt, {ANSWER: answer or f"The opposite of {number} is minus {number}."})


def arm(*rows: Conversation) -> Arm:
    return Arm("random", tuple(TrainingRow(str(number), row) for number, row in enumerate(rows)))


def row(prompt: str, answer: str, system: str = "") -> Conversation:
    turns = (Message("user", prompt), Message("assistant", answer))
    return (Message("system", system), *turns) if system else turns


def test_disjoint_texts_are_all_kept() -> None:
    held_out = [asked(number) for number in range(20)]
    kept, warnings = without_contaminated([arm(row("Name a colour.", "Teal."))], held_out, "h.jsonl", 13)
    assert kept == tuple(held_out)
    assert warnings == []


def test_a_few_shared_ones_are_left_out_and_named() -> None:
    held_out = [asked(number) for number in range(38)] + [
        asked(98, f"So {LONG}."),
        asked(99, f"Thus {LONG}."),
    ]
    arms = [arm(row("what is the opposite of the NUMBER 7", "None.")), arm(row("Tell me.", f"Well, {LONG}!"))]
    kept, (warning,) = without_contaminated(arms, held_out, "h.jsonl", 13)
    assert {one.conversation_id for one in held_out} - {one.conversation_id for one in kept} == {
        "c7",
        "c98",
        "c99",
    }
    assert warning.startswith("left out: 3 of 40 conversations")
    assert "the number 7" in warning
    assert "in the arm random" in warning


def test_a_file_that_was_not_held_out_is_refused_in_one_line() -> None:
    held_out = [asked(number) for number in range(10)]
    rows = [(*one.prompt, Message("assistant", one.answers[ANSWER])) for one in held_out[3:]]
    with pytest.raises(BadInput, match=r"--held-out h\.jsonl: .* 7 of 10 conversations") as raised:
        without_contaminated([arm(*rows)], held_out, "h.jsonl", 13)
    assert len(raised.value.problems) == 1
    assert raised.value.exit_code == 2


def test_a_shared_system_prompt_is_no_contamination() -> None:
    one = HeldOut("c", (Message("system", LONG), Message("user", "Add one and one.")), {ANSWER: "Two."})
    kept, _ = without_contaminated([arm(row("Name a colour.", "Teal.", LONG))], [one], "h.jsonl", 13)
    assert kept == (one,)


def test_a_large_file_takes_little_memory() -> None:
    rng = random.Random(0)
    held_out = [
        asked(number, " ".join(str(rng.getrandbits(32)) for _ in range(300))) for number in range(200)
    ]
    rows = arm(row("Name a colour.", "Teal."))
    tracemalloc.start()
    kept, _ = without_contaminated([rows], held_out, "h.jsonl", 13)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(kept) == 200
    assert peak < 100 * 200 * 300
