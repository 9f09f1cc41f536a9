"""What an evaluation says and refuses before it trains."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.driver.evaluate import Evaluating, Question
from staragents.base.errors import BadInput
from staragents.config import EvaluationConfig
from staragents.evaluation.power import power_of


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
