"""What an evaluation says and refuses before it trains."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cluster.driver import evaluate
from cluster.driver.evaluate import Evaluating, Question
from staragents.base.errors import BadInput
from staragents.base.messages import Message, with_exchange
from staragents.config import EvaluationConfig
from staragents.evaluation.arm import Arm, TrainingRow
from staragents.evaluation.arms import Arms
from staragents.evaluation.held_out import HeldOut
from staragents.evaluation.plan import plan_of
from staragents.evaluation.power import power_of
from tests.support.fake_student import FakeStudent
from tests.support.student_worlds import students


@pytest.mark.parametrize(("conversations", "found"), [(1, "none"), (2, r"1\.\d+ or more")])
def test_a_difference_that_so_few_conversations_cannot_detect_is_refused(
    conversations: int, found: str
) -> None:
    said: list[str] = []
    question = Question((), "held.jsonl", EvaluationConfig(), difference=0.3)
    with pytest.raises(
        BadInput, match=rf"^--difference: .*, got {conversations} and 3, which can detect {found}$"
    ):
        Evaluating(question, Path("folder"), said.append)._check_power(power_of(conversations, 3, 3))
    assert len(said) == 1


def test_the_plan_counts_conversations_of_one_prompt_once() -> None:
    prompt = (Message("user", "Name a tree."),)
    held_out = [HeldOut(name, prompt, {"x": answer}) for name, answer in (("a", "An oak."), ("b", "An elm."))]
    arm = Arm("seeds", (TrainingRow("s", with_exchange((), "Name a bird.", "A robin.")),))
    settings = EvaluationConfig(training_seeds=1)
    plan = plan_of([arm], held_out, FakeStudent(10), settings, Path("work"))  # type: ignore[arg-type]
    said: list[str] = []
    evaluating = Evaluating(Question((), "held.jsonl", settings), Path("folder"), said.append)
    evaluating._tell(plan, (), Arms((arm,), {}, frozenset("s"), ()), settings)
    assert "; measured on 1 conversations, 14 tokens" in said[-1]


def row(name: str, filled: bool, words: int = 1) -> TrainingRow:
    return TrainingRow(name, with_exchange((), " ".join([f"ask{name}"] * words), f"say{name}"), filled)


def test_seeds_that_are_too_long_count_in_no_row_of_the_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their rows were counted, so that an arm of which little was left seemed not to be read again."""
    own, unchanged = (
        tuple(row(str(number), number < filled, 1 if number < 4 else 99) for number in range(10))
        for filled in (2, 10)
    )
    arms = Arms((Arm("dataset", own), Arm("seeds", unchanged)), {}, frozenset(map(str, range(10))), ())
    held_out = [
        HeldOut(f"c{number}", (Message("user", f"held{number}"),), {"alpha": "out"}) for number in range(40)
    ]
    made = students({"dataset": 0.0, "seeds": 0.0}, training_seeds=2, conversations=40)
    for name, instead in {
        "read_held_out": lambda *_: held_out,
        "arms_of": lambda *_, **__: arms,
        "resolve_model": lambda name: name,
        "Student": lambda *_: FakeStudent(10),
        "completed": lambda settings, *_: settings,
        "seconds_for": lambda *_: None,
        "Students": lambda *_: SimpleNamespace(results=lambda: made),
    }.items():
        monkeypatch.setattr(evaluate, name, instead)
    said: list[str] = []
    question = Question((), "held.jsonl", EvaluationConfig(training_seeds=2))
    result = Evaluating(question, tmp_path, said.append)._evaluated()
    assert {one.name: (one.rows, one.filled) for one in result.arms} == {"dataset": (4, 2), "seeds": (4, 4)}
    assert result.seeds == 4
    assert "arm dataset: 4 rows, 2 of them unchanged seeds" in said
    assert "note: 6 seeds are in no arm: the prompt leaves no room within evaluation.max_length" in said


def test_the_most_requests_to_the_judge_are_said_with_its_repeats() -> None:
    held_out = [HeldOut(name, (Message("user", f"Name {name}."),), {"x": "An oak."}) for name in ("a", "bb")]
    arm = Arm("seeds", (row("s", filled=False),))
    settings = EvaluationConfig(training_seeds=3, answer_tokens=3)
    plan = plan_of([arm], held_out, FakeStudent(10), settings, Path("work"), judged=True)  # type: ignore[arg-type]
    judge: Any = SimpleNamespace(name="fake", most_requests=4)
    assert evaluate._to_judge(plan, judge).endswith(
        "; the judge, fake, compares them with the untrained student's: at most 24 requests"
    )
