"""The order of files, for several workers: long ones first, so that no worker is left alone with one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.paths import ROOT

LONG = (
    "models/test_pipeline.py",
    "ray/test_chaos.py",
    "ray/test_run.py",
    "ray/test_job_server.py",
    "ray/test_compare.py",
    "ray/test_scale.py",
    "unit/run/test_crashes.py",
    "ray/test_autoscale.py",
    "ray/test_score.py",
    "models/test_openai_engine.py",
    "ray/test_metrics.py",
    "ray/test_change.py",
    "models/test_score_file.py",
    "ray/test_secrets.py",
    "ray/test_commands.py",
    "ray/test_actors.py",
    "models/test_thinking.py",
    "ray/test_evaluate.py",
    "models/test_students.py",
    "models/test_scoring.py",
)
"""Most of them only wait much of the time, so they run beside one that computes."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {ROOT / "tests" / name: place for place, name in enumerate(LONG)}
    tests = len(places)

    def place(item: pytest.Item) -> tuple[int, bool]:
        """Then what starts processes, then what computes in one."""
        path = Path(item.path)
        return places.get(path, tests), ROOT / "tests" / "unit" in path.parents

    items.sort(key=place)  # stable: the tests of a file keep their order
