"""What the command with `--overwrite` takes over from the run that it deletes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from cluster.driver import optimise
from cluster.terminal.watcher import Watcher
from staragents.data.seed_file import SeedFile
from staragents.run_directory.run_directory import RunDirectory
from staragents.validation.loading import load_config
from tests.support.paths import FAKE


def test_the_name_stays_so_that_the_points_on_a_memory_server_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load_config(FAKE, ["seeds.limit=2", f"output.dir={tmp_path / 'run'}"])
    run = RunDirectory(config.output.dir)
    run.create(config, SeedFile(config.seeds).scan())
    before = run.name
    names: list[Any] = []
    monkeypatch.setattr(optimise, "_with_models", lambda work, session, watcher, name: names.append(name))
    for overwrite in (False, True, True):
        optimise.optimise(config, Watcher(Console(quiet=True)), overwrite)
    assert names == [None, before, None], "nothing was left to delete the last time"
