"""When the bank of a run starts anew."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cluster.pools import pools
from cluster.pools.pools import running_memory
from staragents.base.messages import Message
from staragents.base.records import Candidate
from staragents.run_directory.run_directory import RunDirectory
from staragents.validation.loading import load_config
from tests.support.paths import FAKE
from tests.support.run_files import write_state


@pytest.mark.parametrize(
    ("server", "begun", "anew"), [(True, False, True), (True, True, False), (False, False, False)]
)
def test_points_of_a_discarded_run_are_deleted_before_the_first_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: bool, begun: bool, anew: bool
) -> None:
    run = RunDirectory(tmp_path / "run")
    if begun:
        run.candidates.mkdir(parents=True)
        text = (Message("user", "Name a river."), Message("assistant", "The Loire."))
        candidate = Candidate("s0", "c0", "a+b", "a", "b", 0.5, text, text)
        write_state(run.path, [run.write_shard("part-000000.parquet", [candidate])], 1)
    started: list[Any] = []
    actor = SimpleNamespace(start=SimpleNamespace(remote=started.append))
    monkeypatch.setattr(pools, "_memory", lambda *_: actor)
    monkeypatch.setattr(pools, "quietly", lambda *_: None)
    url = ["memory.url=http://127.0.0.1:6333"] if server else []
    with running_memory(load_config(FAKE, [f"output.dir={run.path}", *url]), "run"):
        assert started == [anew]
