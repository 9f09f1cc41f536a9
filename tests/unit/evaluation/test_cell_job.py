"""What becomes of a student whose training or measuring fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from staragents.base.errors import BadInput
from staragents.config import EvaluationConfig, Template
from staragents.evaluation import cell_job
from staragents.evaluation.cell import Cell, CellResult
from staragents.evaluation.cell_job import CellJob
from staragents.evaluation.saved_cell import SavedCell
from staragents.scoring.conventions import Span

STEPS = ((Span((1, 2, 3), 1),),)


@pytest.fixture(autouse=True)
def diverging(monkeypatch: pytest.MonkeyPatch) -> None:
    def result(*_: object) -> CellResult:
        raise FloatingPointError("the loss of step 3 is nan")

    monkeypatch.setattr(CellJob, "_result", result)
    monkeypatch.setattr(cell_job, "_free_memory", lambda: None)


def job(folder: Path, steps: tuple[tuple[Span, ...], ...]) -> CellJob:
    return CellJob(
        Cell("real", 1), "m", "id", Template.plain, steps, 1, EvaluationConfig(), folder / "real-1"
    )


def test_a_loss_that_is_not_finite_is_a_result_that_is_kept(tmp_path: Path) -> None:
    made = job(tmp_path, STEPS)
    found = made.run(())
    assert (found.cell, found.losses, found.diverged) == (made.cell, {}, "the loss of step 3 is nan")
    saved = SavedCell.from_json(SavedCell("id", found, {}).to_json())
    assert saved.result == found
    assert saved.missing(made) is None


def test_a_student_without_finite_losses_before_training_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(
        BadInput, match=r"^evaluation.student: expected finite losses of m before training: the"
    ):
        job(tmp_path, ()).run(())
