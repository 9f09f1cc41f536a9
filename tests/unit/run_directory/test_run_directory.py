"""Ownership of a folder: what a resumed run must share with the original one."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from threading import Timer

import pytest
from filelock import FileLock

from staragents.base.errors import BadInput, RunFailed
from staragents.config import Config
from staragents.data.seed_file import SeedFile
from staragents.run_directory import run_lock
from staragents.run_directory.run_directory import RunDirectory
from staragents.run_directory.run_lock import LOCK, OWNER
from staragents.validation.loading import load_config
from tests.support.paths import ROOT


@pytest.fixture
def prompt(tmp_path: Path) -> Path:
    path = tmp_path / "mine.j2"
    path.write_text("Rewrite this: {{ instruction }}")
    return path


@pytest.fixture
def begun(tmp_path: Path, prompt: Path) -> Config:
    """A config with a custom prompt, and a run directory started with it."""
    config = load_config(
        ROOT / "configs/fake.yaml",
        [f"output.dir={tmp_path / 'run'}", f"agents.instruction.deepen.prompt={prompt}"],
    )
    RunDirectory(config.output.dir).create(config, SeedFile(config.seeds).scan())
    return config


def test_the_same_config_and_prompts_resume(begun: Config) -> None:
    assert RunDirectory(begun.output.dir).check(begun)


def test_an_edited_prompt_is_another_run(begun: Config, prompt: Path) -> None:
    prompt.write_text("Write this anew: {{ instruction }}")
    with pytest.raises(BadInput, match=r"a different text of agents\.instruction\.deepen\.prompt"):
        RunDirectory(begun.output.dir).check(begun)


def test_another_setting_is_named(begun: Config) -> None:
    begun.run.seed += 1
    with pytest.raises(BadInput, match=r"changed: run\.seed"):
        RunDirectory(begun.output.dir).check(begun)


def test_somebody_elses_folder_is_left_alone(begun: Config, tmp_path: Path) -> None:
    begun.output.dir = str(tmp_path)
    with pytest.raises(BadInput, match=r"nor a run directory"):
        RunDirectory(begun.output.dir).check(begun)


def test_a_command_that_takes_the_lock_now_is_not_mistaken_for_an_earlier_one(begun: Config) -> None:
    """Two commands that start in the same moment: the second may look between lock and owner of the first."""
    run = RunDirectory(begun.output.dir)
    earlier = subprocess.Popen(["true"])
    earlier.wait()
    owner = {"host": socket.gethostname(), "pid": earlier.pid, "since": "2026-01-01 00:00:00 UTC"}
    (run.path / OWNER).write_text(json.dumps(owner))
    with FileLock(run.path / LOCK):
        writing = Timer(0.2, lambda: (run.path / OWNER).write_text(json.dumps(owner | {"pid": os.getpid()})))
        writing.start()
        with pytest.raises(RunFailed, match=f"in use by process {os.getpid()} "), run.claimed():
            raise AssertionError("two commands hold one folder")
        writing.join()


def test_a_folder_whose_last_writer_lives_is_named_by_its_own_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_lock, "LAST_WRITER_S", 0.1)
    with (
        FileLock(tmp_path / run_lock.WRITER),
        pytest.raises(RunFailed, match=r"^--output: .* is still being written by the coordinator"),
        run_lock.command_lock(tmp_path, "--output"),
    ):
        raise AssertionError("a command and a coordinator hold one folder")


def test_a_folder_in_use_names_its_owner_and_a_killed_owner_releases_it(begun: Config) -> None:
    run = RunDirectory(begun.output.dir)
    program = (
        "import sys, time; from staragents.run_directory.run_directory import RunDirectory\n"
        "with RunDirectory(sys.argv[1]).claimed(): print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(run.path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "held\n"
        with (
            pytest.raises(RunFailed, match=rf"in use by process {owner.pid} on .* since 20.* UTC; see"),
            run.claimed(),
        ):
            raise AssertionError("two commands hold one folder")
        owner.kill()
    with run.claimed():
        pass
