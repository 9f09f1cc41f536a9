"""What is said when held-out answers can't be measured."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from staragents.base.errors import EngineError
from staragents.config import EvaluationConfig, Template
from staragents.evaluation import measuring
from staragents.scoring.ifd import Score, ScoreRow
from staragents.scoring.ifd_model import IfdModel
from staragents.scoring.losses import SMALLEST_ROOM


class TooSmall(IfdModel):
    """A model on a GPU without room for a single sequence."""

    def __init__(self, path: str, *, section: str = "scoring", **_: object) -> None:
        self.model_name, self._section = path, section
        self._logits_room = SMALLEST_ROOM

    def score_with_prompt(self, rows: Sequence[ScoreRow]) -> list[Score]:
        self._use_less(alone=9)
        raise AssertionError


def test_a_gpu_without_room_for_a_held_out_answer_names_the_setting_of_evaluate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(measuring, "IfdModel", TooSmall)
    with pytest.raises(EngineError, match=r"one sequence of 9 tokens with m: lower evaluation\.max_length$"):
        measuring.held_out_losses(None, None, "m", Template.plain, (), EvaluationConfig())
    with pytest.raises(EngineError, match=r"lower scoring\.max_length$"):
        TooSmall("m")._use_less(alone=9)
