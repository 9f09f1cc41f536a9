"""Ownership of a folder: which command holds it, and its release."""

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

from staragents.base.errors import RunFailed
from staragents.config import Config
from staragents.run_directory import run_lock
from staragents.run_directory.run_directory import RunDirectory
from staragents.run_directory.run_lock import LOCK, OWNER
from tests.support.paths import ROOT


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
