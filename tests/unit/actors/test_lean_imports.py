"""Serve and pyarrow do without pandas in our processes; who needs it gets it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.paths import ROOT

LOADED = "print('pandas' in __import__('sys').modules)"
ARROW = "import pyarrow as pa; pa.array([1])"


def loaded(*lines: str) -> list[str]:
    """What a fresh process prints that runs these lines after the import."""
    code = "\n".join(["import actors.lean_imports", *lines, LOADED])
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def as_ours(code: str) -> str:
    """The code as if it stood in one of our modules."""
    return f"exec({code!r}, {{'__name__': 'staragents.some.module'}})"


@pytest.mark.slow
def test_serve_comes_without_pandas() -> None:
    assert loaded("import ray.serve") == ["False"]


@pytest.mark.slow
def test_our_arrays_come_without_pandas_and_tables_become_frames() -> None:
    assert loaded(as_ours(ARROW)) == ["False"]
    frame = "print(len(pa.table({'a': [1, 2]}).to_pandas()))"
    assert loaded(as_ours(ARROW), "import pyarrow as pa", frame) == ["2", "True"]


@pytest.mark.slow
def test_others_get_pandas() -> None:
    assert loaded("import pandas") == ["True"]


def test_only_importers_that_can_do_without_are_told_that_it_is_missing() -> None:
    from actors.lean_imports import LeanImports

    find = "LeanImports().find_spec('pandas')"
    for module in ("ray.serve._private.utils", "staragents.data.table", "actors.scorer"):
        with pytest.raises(ModuleNotFoundError, match=module):
            exec(find, {"__name__": module, "LeanImports": LeanImports})
    for module in ("ray.data", "datasets.arrow_dataset", "cluster.driver.results", "__main__"):
        exec(find, {"__name__": module, "LeanImports": LeanImports})
