"""A wall clock that jumps by days changes nothing: durations use a monotonic clock."""

from __future__ import annotations

import ast
import asyncio
import itertools
import json
import time
from pathlib import Path

import pytest

from staragents.validation.loading import load_config
from tests.support.local_run import decided, local_run
from tests.support.paths import ROOT

pytestmark = pytest.mark.slow

WALL_CLOCKS = {("time", "time"), ("time", "time_ns"), ("datetime", "now"), ("datetime", "utcnow")}
# The first shows users since when a run directory is in use; nothing is computed from it. The others read
# dates of servers, whose pauses are bounded.
SHOWN = {
    "staragents/run_directory/run_lock.py",
    "actors/engines/openai_engine.py",
    "actors/engines/rate_limits.py",
}


def test_only_displayed_times_read_the_wall_clock() -> None:
    readers = set()
    for package in ("staragents", "actors", "cluster"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                match node:
                    case ast.Attribute(ast.Name(module), name) if (module, name) in WALL_CLOCKS:
                        readers.add(str(path.relative_to(ROOT)))
    assert readers == SHOWN


def test_jumps_of_a_day_back_and_forth_change_neither_the_run_nor_its_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    overrides = ["seeds.limit=20", "run.max_minutes=10", "run.checkpoint_s=0.1"]
    config = load_config("configs/fake.yaml", [*overrides, f"output.dir={tmp_path / 'steady'}"])
    asyncio.run(local_run(config))
    days = itertools.cycle([86_400.0, -86_400.0, 0.0])
    wall = time.time
    monkeypatch.setattr(time, "time", lambda: wall() + next(days))
    config = load_config("configs/fake.yaml", [*overrides, f"output.dir={tmp_path / 'jumping'}"])
    began = time.monotonic()
    summary = asyncio.run(local_run(config))
    assert 0 < summary["run"]["wall_seconds"] <= time.monotonic() - began
    assert summary["run"]["stopped"] is None
    assert decided(tmp_path / "jumping") == decided(tmp_path / "steady")
    assert json.loads((tmp_path / "jumping" / "run_state.json").read_text())["cursor"] == 20
