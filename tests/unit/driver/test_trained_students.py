"""The students of an evaluation, with a fake in place of their tasks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cluster.driver import students
from cluster.driver.students import CHECKPOINTS, Students
from staragents.base.errors import BadInput, RunFailed
from staragents.config import EvaluationConfig, Template
from staragents.evaluation.cell import Cell, CellResult
from staragents.evaluation.cell_job import CellJob
from staragents.evaluation.judged_prompt import JudgedPrompt
from staragents.scoring.conventions import Span

RESULT = CellResult(Cell("real", 0), {}, 1, 1, 1, 1.0, 1.0)


class FakeTasks:
    """Every student leaves a checkpoint; looks for it after its result was given to the driver."""

    left: bool
    result = RESULT

    def __init__(self, *_: object) -> None:
        pass

    def run(self, jobs: Sequence[CellJob], save: Callable[[CellJob, CellResult], None]) -> None:
        for job in jobs:
            assert job.folder.parent.is_dir()  # a task makes only what is within
            (job.folder / "checkpoint-1").mkdir(parents=True)
            try:
                save(job, self.result)
            finally:
                FakeTasks.left = job.folder.exists()


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Students:
    monkeypatch.setattr(students, "StudentTasks", FakeTasks)
    monkeypatch.setattr(students, "ray_session", lambda _: nullcontext())
    monkeypatch.setattr(students, "restore_sigterm", lambda: None)
    folder, settings = tmp_path / CHECKPOINTS / "real-0", EvaluationConfig()
    job = CellJob(RESULT.cell, "no/model", "id", Template.plain, (), 0, settings, folder)
    plan: Any = SimpleNamespace(jobs=(job,), held_out=(), work=lambda _: 1)
    return Students(plan, settings, tmp_path, print)


def test_checkpoints_go_once_their_result_is_saved(trained: Students) -> None:
    assert trained.results() == [RESULT]
    assert not FakeTasks.left


def test_checkpoints_stay_if_their_result_cannot_be_saved(
    trained: Students, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, text: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(students, "write_text", full)
    with pytest.raises(RunFailed, match="can't write"):
        trained.results()
    assert FakeTasks.left


def test_memory_counts_only_where_a_student_is_trained(
    trained: Students, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def short(model: str, settings: EvaluationConfig) -> None:
        raise BadInput(f"evaluation.student: {model} does not fit")

    monkeypatch.setattr(students, "check_free", short)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    plan = trained._plan
    (job,) = plan.jobs
    steps = ((Span((1, 2, 3), 1),),)
    training: Any = SimpleNamespace(jobs=(replace(job, steps=steps),), held_out=(), work=plan.work)
    with pytest.raises(BadInput, match=r"^evaluation.student: no/model does not fit$"):
        Students(training, EvaluationConfig(), tmp_path, print).results()
    with monkeypatch.context() as roomy:
        roomy.setattr(students, "check_free", lambda *_: None)
        Students(training, EvaluationConfig(), tmp_path, print).results()
    assert Students(training, EvaluationConfig(), tmp_path, print).results() == [RESULT]


def test_a_student_that_diverges_when_it_is_trained_again_keeps_its_losses(
    trained: Students, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    trained.results()
    plan = trained._plan
    (job,) = plan.jobs
    asked: Any = SimpleNamespace(
        jobs=(replace(job, asked=(JudgedPrompt("a", (0,)),)),), held_out=(), work=plan.work
    )
    diverged = replace(RESULT, final_loss=None, diverged="the loss of step 1 is nan")
    monkeypatch.setattr(FakeTasks, "result", diverged)
    said: list[str] = []
    assert Students(asked, EvaluationConfig(), tmp_path, said.append).results() == [RESULT]
    assert said[-1] == (
        "real, training seed 0, diverged when it was trained again: its losses stay, without what was missing"
    )
    assert Students(plan, EvaluationConfig(), tmp_path, said.append).results() == [RESULT]
