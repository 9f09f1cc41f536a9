"""Unwritable folders are found before the work starts, and nothing is left behind."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from staragents.files.folders import existing, folder_problem


@pytest.mark.parametrize("name", ["new", "new/below", "with space", "\u00e9\u4e2d", "two\nlines", "-o", "."])
def test_any_folder_name_works(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert folder_problem(name) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("folder", "problem"),
    [
        ("file", "expected a folder, got file, where .*file is a file"),
        ("file/run", "expected a folder, got file/run, where .*file is a file"),
        ("new/" + "x" * 300, "names of at most 255 bytes"),
        ("new/" + "\u4e2d" * 100, "names of at most 255 bytes"),
        ("new/" + "x" * 200 + "/" + "/".join(["y" * 200] * 20), "a path of at most 3896 bytes"),
        (
            "s3://bucket/runs/x",
            "a path on a file system that all nodes share, got the address s3://bucket/runs/x",
        ),
        ("s3:/bucket", "got the address s3:/bucket"),
        ("~nobody-here/run", "got ~nobody-here/run, which is the home of nobody known here"),
        ("a\0b", "a name with a null byte"),
        ("loop/run", "a broken symbolic link"),
        ("/proc/run", "expected a writable folder, got /proc"),
    ],
)
def test_the_obstacle_is_named(
    tmp_path: Path, folder: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    found = folder_problem(folder)
    assert found is not None
    assert re.search(problem, found)


def test_the_nearest_existing_folder(tmp_path: Path) -> None:
    assert existing(tmp_path / "a" / "b") == tmp_path
    assert existing(tmp_path / ("x" * 5000)) == tmp_path
