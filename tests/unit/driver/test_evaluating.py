"""What an evaluation says and refuses before it trains."""

from __future__ import annotations

from pathlib import Path

import pytest

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
    evaluating._tell(plan, (), Arms((arm,), {}, 1, ()), settings)
    assert "; measured on 1 conversations, 14 tokens" in said[-1]
