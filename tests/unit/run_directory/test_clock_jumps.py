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
from tests.support.paths import FAKE, ROOT

pytestmark = pytest.mark.slow

WALL_CLOCKS = {
    *("time.time", "time.time_ns", "time.localtime", "time.gmtime", "time.ctime"),
    *("datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today", "datetime.date.today"),
}
# The first shows users since when a run directory is in use; nothing is computed from it. The others read
# dates of servers, whose pauses are bounded.
SHOWN = {
    "staragents/run_directory/run_lock.py",
    "actors/engines/openai_engine.py",
    "actors/engines/rate_limits.py",
}


def clocks_in(source: str) -> set[str]:
    """The wall clocks that a module refers to, under whatever name it imports them."""
    tree = ast.parse(source)
    imported: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {one.asname or one.name: one.name for one in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported |= {one.asname or one.name: f"{node.module}.{one.name}" for one in node.names}

    def full_name(node: ast.AST) -> str:
        match node:
            case ast.Attribute(value, name):
                return f"{full_name(value)}.{name}"
            case ast.Name(name):
                return imported.get(name, "")
        return ""

    return {full_name(node) for node in ast.walk(tree)} & WALL_CLOCKS


@pytest.mark.parametrize(
    "source",
    [
        "import time\ntime.time()",
        "import time as t\nclock = t.time",
        "from time import time\ntime()",
        "from time import time_ns as now\nnow()",
        "import datetime\ndatetime.datetime.now()",
        "from datetime import UTC, datetime\ndatetime.now(UTC)",
        "import datetime as dt\ndt.date.today()",
    ],
)
def test_a_wall_clock_is_found_under_any_name(source: str) -> None:
    assert len(clocks_in(source)) == 1
    assert clocks_in("import time\nfrom time import monotonic\nloop.time()\ntime.monotonic()") == set()


def test_only_displayed_times_read_the_wall_clock() -> None:
    readers = {
        str(path.relative_to(ROOT))
        for package in ("staragents", "actors", "cluster")
        for path in (ROOT / package).rglob("*.py")
        if clocks_in(path.read_text(encoding="utf-8"))
    }
    assert readers == SHOWN


def test_jumps_of_a_day_back_and_forth_change_neither_the_run_nor_its_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    overrides = ["seeds.limit=20", "run.max_minutes=10", "run.checkpoint_s=0.1"]
    config = load_config(FAKE, [*overrides, f"output.dir={tmp_path / 'steady'}"])
    asyncio.run(local_run(config))
    days = itertools.cycle([86_400.0, -86_400.0, 0.0])
    wall = time.time
    monkeypatch.setattr(time, "time", lambda: wall() + next(days))
    config = load_config(FAKE, [*overrides, f"output.dir={tmp_path / 'jumping'}"])
    began = time.monotonic()
    summary = asyncio.run(local_run(config))
    assert 0 < summary["run"]["wall_seconds"] <= time.monotonic() - began
    assert summary["run"]["stopped"] is None
    assert decided(tmp_path / "jumping") == decided(tmp_path / "steady")
    assert json.loads((tmp_path / "jumping" / "run_state.json").read_text())["cursor"] == 20
