"""`staragents evaluate` on bad input: one line, exit code 2, nothing written; no model, no Ray."""

from __future__ import annotations

import json
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
        (["--student", "x", "evaluation.warmup=2"], "error: evaluation.warmup: "),
        (["--student", "x", "evaluation.steps=2"], "error: evaluation.steps: unknown key"),
        (["--student", "x", "--held-out", "no.jsonl"], "error: --held-out: "),
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
    out = tmp_path / "students"
    command = ["evaluate", str(finished_run), "--held-out", held_out, "-o", str(out), *arguments]
    assert staragents(monkeypatch, *command) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(problem)
    assert not out.exists()


def test_settings_alone_name_no_run(
    monkeypatch: pytest.MonkeyPatch, held_out: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["evaluate", "evaluation.epochs=2", "--held-out", held_out, "-o", "out"]
    assert staragents(monkeypatch, *command) == 2
    assert capsys.readouterr().err == "error: RUN: expected at least one run, got settings only\n"
