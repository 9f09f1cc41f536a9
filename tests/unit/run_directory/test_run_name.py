"""A run has one name, however its path is spelt and wherever its folder is moved; a copy has its own."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from staragents.base.records import stable_id
from staragents.data.seed_file import SeedFile
from staragents.run_directory.run_directory import RunDirectory
from staragents.run_directory.run_state import Naming, naming, started_anew
from staragents.validation.loading import load_config
from tests.support.paths import FAKE


def begun(folder: Path) -> RunDirectory:
    """Start the run in `folder`, or resume it there."""
    config = load_config(FAKE, ["seeds.limit=2", f"output.dir={folder}"])
    run = RunDirectory(folder)
    run.create(config, SeedFile(config.seeds).scan())
    return run


def test_every_spelling_of_a_path_gives_the_same_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begun(tmp_path / "runs" / "mine")
    (tmp_path / "link").symlink_to(tmp_path / "runs")
    monkeypatch.chdir(run.path)
    spellings = [Path(), run.path / "candidates" / "..", tmp_path / "link" / "mine", run.path]
    assert {RunDirectory(path).name for path in spellings} == {run.name}
    assert {begun(path).name for path in spellings[2:]} == {run.name}


def test_a_moved_run_keeps_its_name_and_its_old_path_is_free(tmp_path: Path) -> None:
    name = begun(tmp_path / "before").name
    os.rename(tmp_path / "before", tmp_path / "after")
    assert RunDirectory(tmp_path / "after").name == name
    assert begun(tmp_path / "after").name == name
    assert begun(tmp_path / "before").name != name
    assert begun(tmp_path / "after").name == name


def test_a_copy_gets_its_own_name(tmp_path: Path) -> None:
    name = begun(tmp_path / "original").name
    for copy in ("copy", "backup"):
        shutil.copytree(tmp_path / "original", tmp_path / copy)
    copied = begun(tmp_path / "copy").name
    assert copied != name
    assert begun(tmp_path / "copy").name == copied
    assert begun(tmp_path / "original").name == name
    shutil.rmtree(tmp_path / "original")
    assert begun(tmp_path / "backup").name not in (name, copied)


def test_a_copy_of_a_moved_run_gets_its_own_name(tmp_path: Path) -> None:
    name = begun(tmp_path / "before").name
    os.rename(tmp_path / "before", tmp_path / "after")
    shutil.copytree(tmp_path / "after", tmp_path / "copy")
    assert begun(tmp_path / "copy").name != name
    assert begun(tmp_path / "after").name == name


@pytest.mark.parametrize("first", ["here", "away"])
def test_only_one_of_a_run_that_was_moved_and_copied_back_keeps_its_name(tmp_path: Path, first: str) -> None:
    name = begun(tmp_path / "here").name
    os.rename(tmp_path / "here", tmp_path / "away")
    shutil.copytree(tmp_path / "away", tmp_path / "here")
    begun(tmp_path / first)
    assert begun(tmp_path / "here").name == name
    assert begun(tmp_path / "away").name != name


def test_a_run_that_is_put_back_from_a_backup_keeps_its_name(tmp_path: Path) -> None:
    name = begun(tmp_path / "run").name
    shutil.copytree(tmp_path / "run", tmp_path / "backup")
    shutil.rmtree(tmp_path / "run")
    shutil.copytree(tmp_path / "backup", tmp_path / "run")
    assert begun(tmp_path / "run").name == name
    os.rename(tmp_path / "run", tmp_path / "moved")
    assert begun(tmp_path / "moved").name == name


def test_a_run_of_an_earlier_version_keeps_the_name_of_its_path(tmp_path: Path) -> None:
    run = begun(tmp_path / "run")
    state = run.state()
    assert state is not None
    run.write_state({key: value for key, value in state.items() if key not in Naming.__annotations__})  # type: ignore[arg-type]
    earlier = stable_id(str(run.path.absolute()))[:8]
    assert run.name == earlier
    assert begun(run.path).name == earlier
    os.rename(run.path, tmp_path / "moved")
    assert begun(tmp_path / "moved").name == earlier


def test_a_repaired_run_keeps_its_name(tmp_path: Path) -> None:
    run = begun(tmp_path / "run")
    name, state = run.name, run.state()
    assert state is not None
    run.write_state(started_anew(state))
    assert run.name == name
    anew = run.state()
    assert anew is not None
    assert naming(anew) == naming(state)
    assert set(naming(anew)) == set(Naming.__annotations__)


def test_a_run_that_replaces_another_has_its_name(tmp_path: Path) -> None:
    run = begun(tmp_path / "run")
    name, config = run.name, load_config(FAKE, ["seeds.limit=2", f"output.dir={run.path}"])
    scan = SeedFile(config.seeds).scan()
    shutil.copytree(run.path, tmp_path / "copy")
    copy = RunDirectory(tmp_path / "copy")
    kept = copy.discard()
    copy.create(config, scan, kept)
    assert copy.name != name, "the original may be running under that name"
    kept = run.discard()
    assert not (run.path / "run_state.json").exists()
    run.create(config, scan, kept)
    assert run.name == name
    (run.path / "run_state.json").write_text("{")
    assert run.discard() is None
    assert run.discard() is None, "an empty folder has no run"


def test_a_damaged_state_does_not_keep_a_run_from_having_a_name(tmp_path: Path) -> None:
    run = begun(tmp_path / "run")
    (run.path / "run_state.json").write_text("{")
    assert len(run.name) == 8
