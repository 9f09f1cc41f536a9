"""Rows of a run that writes its results while they are read."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from staragents.analysis.saved_run import SavedRun
from staragents.base.errors import BadInput
from staragents.evaluation.run_rows import RunRows
from staragents.run_directory.damage import Damaged
from staragents.run_directory.manifest import remove_manifest

pytestmark = pytest.mark.slow


def test_results_that_are_removed_meanwhile_are_incomplete(
    finished_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = shutil.copytree(finished_run, tmp_path / "run")
    opened = SavedRun.open

    def then_removed(path: Path) -> SavedRun:
        found = opened(path)
        remove_manifest(run)
        return found

    monkeypatch.setattr(SavedRun, "open", then_removed)
    with pytest.raises(BadInput, match="no complete results yet"):
        RunRows.read(run, "run")


def test_results_that_are_replaced_meanwhile_are_read_again(
    finished_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = shutil.copytree(finished_run, tmp_path / "run")
    whole = RunRows.read(run, "run")
    data = run / "dataset.parquet"
    content = data.read_bytes()
    opened = SavedRun.open
    times: list[Path] = []

    def meanwhile(path: Path) -> SavedRun:
        if times:
            data.write_bytes(content)
        found = opened(path)
        if not times:
            data.write_bytes(content[:-1])
        times.append(path)
        return found

    monkeypatch.setattr(SavedRun, "open", meanwhile)
    assert RunRows.read(run, "run") == whole
    assert len(times) == 2

    data.write_bytes(content[:-1])
    monkeypatch.setattr(SavedRun, "open", opened)
    with pytest.raises(Damaged):
        RunRows.read(run, "run")
