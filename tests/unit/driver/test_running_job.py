"""What a run's directory records about its Ray."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import NoReturn

import pytest

from cluster.driver.running_job import announced
from staragents.base.errors import RunFailed
from staragents.run_directory.run_directory import SESSION, RunDirectory


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunDirectory:
    context = SimpleNamespace(gcs_address="127.0.0.1:6379")
    monkeypatch.setattr("ray.get_runtime_context", lambda: context)
    return RunDirectory(tmp_path)


def _read_only(*arguments: object) -> NoReturn:
    raise OSError(errno.EROFS, os.strerror(errno.EROFS))


def test_a_running_job_can_be_found_until_its_driver_ends(run: RunDirectory) -> None:
    with announced(run):
        assert json.loads((run.path / SESSION).read_text())["address"] == "127.0.0.1:6379"
    assert not (run.path / SESSION).exists()


def test_a_disk_that_became_read_only_does_not_hide_how_a_run_ended(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "unlink", _read_only)
    with pytest.raises(RunFailed, match="the run's own error"), announced(run):
        raise RunFailed("the run's own error")


def test_a_disk_that_is_read_only_from_the_start_is_one_line(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RunDirectory, "writing", _read_only)
    line = r"^output\.dir: can't write to .*: Read-only file system$"
    with pytest.raises(RunFailed, match=line), announced(run):
        pytest.fail("it began")
