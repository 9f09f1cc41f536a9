"""`staragents evaluate` on bad input: one line, exit code 2, nothing written; no model, no Ray."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.unit.cli.test_program import staragents


@pytest.fixture
def held_out(tmp_path: Path) -> str:
    path = tmp_path / "held.jsonl"
    rows = ({"instruction": f"Name tree number {n}.", "output": f"Tree {n} is an oak."} for n in range(5))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "error: --student: expected a model to train, got fake"),
        (["--student", "packaged:no"], "error: --student: expected one of packaged:"),
        (["--student", "x", "--arms", "datset"], "error: evaluation.arms[0]: expected one of"),
        (["--student", "x", "--arms", ""], "error: evaluation.arms: expected at least one arm"),
        (["--student", "x", "--arm", "mine"], "error: --arm: expected NAME=FILE"),
        (["--student", "x", "--arm", "a=f", "--arm", "a=g"], "error: --arm: expected NAME=FILE"),
        (["--student", "x", "--arm", "mine=no.jsonl"], "error: --arm mine: "),
        (["--student", "x", "--arm", "untrained=f"], "error: --arm: expected a name without a colon"),
        (["--student", "x", "--columns", "ask=q"], "error: --columns: expected KEY=COLUMN with a key of"),
        (["--student", "x", "evaluation.warmup=2"], "error: evaluation.warmup: "),
        (
            ["--student", "x", "evaluation.num_gpus=2"],
            "error: evaluation.num_gpus: expected 0 to 1 (a student trains on one GPU or a part of it)",
        ),
        (["--student", "x", "evaluation.steps=2"], "error: evaluation.steps: unknown key"),
        (["--student", "x", "--held-out", "no.jsonl"], "error: --held-out: "),
        (["--student", "x", "evaluation.judged_prompts=0"], "error: evaluation.judged_prompts: "),
        (["--student", "x", "--tasks", " , "], "error: --tasks: expected names of tasks, got none"),
        (["--student", "x", "--tasks-folder", "x"], "error: --tasks-folder: expected --tasks with it"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    finished_run: Path,
    held_out: str,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    problem: str,
) -> None:
    out = tmp_path / "new" / "students"
    command = ["evaluate", str(finished_run), "--held-out", held_out, "-o", str(out), *arguments]
    assert staragents(monkeypatch, *command) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(problem)
    assert not out.parent.exists()


def test_a_file_in_the_place_of_a_folder_is_one_line_before_anything_is_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, finished_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cells").touch()
    command = ["evaluate", str(finished_run), "--student", "x", "--held-out", "no.jsonl", "-o", str(tmp_path)]
    assert staragents(monkeypatch, *command) == 2
    assert capsys.readouterr().err == (
        f"error: --output: expected a folder at {tmp_path / 'cells'}, got a file\n"
    )


def test_settings_alone_name_no_run(
    monkeypatch: pytest.MonkeyPatch, held_out: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["evaluate", "evaluation.epochs=2", "--held-out", held_out, "-o", "out"]
    assert staragents(monkeypatch, *command) == 2
    assert capsys.readouterr().err == "error: RUN: expected at least one run, got settings only\n"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (("model: judge\n", "model: jugde\n"), "judge.model: expected"),
        (None, "expected a run's config, got "),
    ],
)
def test_a_run_without_a_usable_judge_is_one_line_before_any_work(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    finished_run: Path,
    held_out: str,
    capsys: pytest.CaptureFixture[str],
    change: tuple[str, str] | None,
    problem: str,
) -> None:
    run, out = tmp_path / "run", tmp_path / "students"
    shutil.copytree(finished_run, run)
    if change is None:
        (run / "config.yaml").unlink()
    else:
        text = (run / "config.yaml").read_text()
        assert change[0] in text
        (run / "config.yaml").write_text(text.replace(*change))
    command = ["evaluate", str(run), "--student", "x", "--judge", "--held-out", held_out, "-o", str(out)]
    assert staragents(monkeypatch, *command) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert f"{run / 'config.yaml'}: {problem}" in line
    assert not out.exists()
