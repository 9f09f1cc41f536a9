"""`staragents compare` on bad input and on an existing comparison; no model, no Ray."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cluster.driver.compare import Comparing
from cluster.terminal.console import make_console
from cluster.terminal.watcher import Watcher
from staragents.comparison.comparison import Comparison
from staragents.comparison.variant import load_variants
from staragents.data.seed_file import SeedFile
from staragents.validation.loading import load_config
from tests.support.recorded_config import recorded_config
from tests.unit.cli.test_program import staragents
from tests.unit.comparison.test_comparison import comparison, of


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--ablation", "full,unifrom"], "error: --ablation unifrom: expected one of"),
        (["--ablation", "full"], "error: --ablation: expected at least two variants"),
        (["--judge", "gpt"], "error: --judge: expected one of good, judge"),
        (["--ablation", "full,paper"], "error: --ablation paper: judge.baseline: expected seed"),
        (["run.max_tokens=0"], "error: run.max_tokens: expected at least 1"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    problem: str,
) -> None:
    path = recorded_config(tmp_path, {"good": 0.8}, rows=2)
    out = tmp_path / "compared"
    assert staragents(monkeypatch, "compare", str(path), "-o", str(out), *arguments) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert lines[0].startswith(problem)
    assert not out.exists()


def saved_comparison(tmp_path: Path) -> tuple[Path, Path, Comparison]:
    """A folder with the result of comparing a config, as if it had been run."""
    path = recorded_config(tmp_path, {"good": 0.8}, rows=2)
    config, folder = load_config(path), tmp_path / "compared"
    variants = load_variants(path, [], ["full", "uniform"], folder)
    comparing = Comparing(config, variants, "full", None, "judge", folder, Watcher(make_console(True)))
    identity = comparing._identity(SeedFile(config.seeds).scan())
    result = comparison([of("full", [0.9, 0.5]), of("uniform", [0.6, 0.5])], identity=identity)
    folder.mkdir()
    (folder / "compare.json").write_text(json.dumps(result.as_dict()))
    return path, folder, result


def test_an_existing_comparison_is_shown_and_not_repeated(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, folder, result = saved_comparison(tmp_path)
    command = ("compare", str(path), "--ablation", "full,uniform", "-o", str(folder))
    assert staragents(monkeypatch, *command, "--json") == 0
    assert json.loads(capsys.readouterr().out) == result.as_dict()
    assert staragents(monkeypatch, *command) == 0
    shown = capsys.readouterr().out
    assert "-0.150 +-" in shown
    assert "fake engines: judge" in shown
    assert str(folder / "compare.html") in shown
