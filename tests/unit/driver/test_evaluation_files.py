"""The files of an evaluation: damaged ones are named, and results are whole or not there."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cluster.driver.evaluation_files import write_evaluation
from cluster.driver.students import CELLS, Students
from staragents.base.errors import RunFailed
from staragents.config import EvaluationConfig, Template
from staragents.evaluation.build import evaluation_of
from staragents.evaluation.cell import Cell, CellResult
from staragents.evaluation.cell_job import CellJob
from staragents.evaluation.evaluation import PAGE, RESULT, Evaluation, HeldOutFacts
from staragents.evaluation.saved_cell import SavedCell
from tests.support.student_worlds import arms_named, students


@pytest.fixture
def result() -> Evaluation:
    return evaluation_of(
        arms_named(["dataset", "seeds"]),
        students({"dataset": -0.1, "seeds": 0.0}, conversations=5),
        student="m",
        runs=["runs/mine"],
        settings={},
        held_out=HeldOutFacts("held.jsonl", "0" * 64, 5, []),
    )


def test_both_files_are_written(result: Evaluation, tmp_path: Path) -> None:
    write_evaluation(tmp_path, result)
    assert {path.name for path in tmp_path.iterdir()} == {PAGE, RESULT}
    assert Evaluation.from_dict(json.loads((tmp_path / RESULT).read_text())) == result


@pytest.mark.parametrize("at", [0, 1])
def test_a_full_disk_is_one_line_and_leaves_no_new_page_beside_old_numbers(
    result: Evaluation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    (tmp_path / PAGE).write_text("old page")
    (tmp_path / RESULT).write_text("old numbers")
    replaced: list[Path] = []

    def full(source: Path, target: Path) -> None:
        if len(replaced) == at:
            raise OSError(errno.ENOSPC, "No space left on device")
        replaced.append(target)
        source.rename(target)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(
        RunFailed, match=r"^--output: can't write to .*: No space left on device; all students"
    ):
        write_evaluation(tmp_path, result)
    assert "old numbers" not in [path.read_text() for path in tmp_path.iterdir()]
    assert len(list(tmp_path.iterdir())) == 1


def test_numbers_stay_if_there_is_no_room_for_new_ones(
    result: Evaluation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / RESULT).write_text("old numbers")

    def full(path: Path, *_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(RunFailed, match="No space left"):
        write_evaluation(tmp_path, result)
    assert [path.name for path in tmp_path.iterdir()] == [RESULT]


@pytest.mark.parametrize("text", ["{", "[]", '{"identity": "x", "result": {"losses": []}}'])
def test_a_damaged_student_is_named_and_trained_again(tmp_path: Path, text: str) -> None:
    cell = Cell("real", 0)
    job = CellJob(cell, "m", "id", Template.plain, (), 0, EvaluationConfig(), tmp_path)
    plan: Any = SimpleNamespace(jobs=(job,), held_out=())
    lines: list[str] = []
    known = Students(plan, EvaluationConfig(), tmp_path, lines.append)
    assert known._todo() == [job]
    assert not lines  # no file: nothing to say
    file = tmp_path / CELLS / "real-0.json"
    file.parent.mkdir()
    file.write_text(text)
    assert known._todo() == [job]
    assert len(lines) == 1
    assert lines[0].startswith(f"{file} can't be read (")
    assert lines[0].endswith("): its student is trained again")
    saved = SavedCell(job.fingerprint(()), CellResult(cell, {}, 1, 1, 1, 1.0, 1.0))
    file.write_text(saved.to_json())
    assert not known._todo()
    lines.clear()
    file.write_text(SavedCell("other", saved.result).to_json())
    assert known._todo() == [job]
    assert lines == ["1 saved student is of other weights, rows or settings: trained again"]
