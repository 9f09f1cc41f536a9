"""Other people's `actors` and `cluster`: one line that names both places."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from staragents.base.one_root import ROOT


def run(cwd: Path, *path: Path) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-c", "from staragents.__main__ import main; main()", "--version"],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path)), "PYTHONSAFEPATH": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stderr.strip()


def folder(path: Path) -> Path:
    path.mkdir()
    return path


def package(path: Path) -> Path:
    (folder(path) / "__init__.py").touch()
    return path


def module(path: Path) -> Path:
    path.with_suffix(".py").touch()
    return path.with_suffix(".py")


@pytest.mark.parametrize("name", ["actors", "cluster"])
@pytest.mark.parametrize("make", [package, module])
def test_another_package_found_first_is_one_line_with_both_places(
    tmp_path: Path, name: str, make: Callable[[Path], Path]
) -> None:
    found = make(tmp_path / name)
    for cwd, path in ((Path("/"), [tmp_path, ROOT]), (tmp_path, [ROOT])):
        code, error = run(cwd, *path)
        assert code == 2
        assert "\n" not in error
        assert f"expected the package {name} in {ROOT}, got {found}" in error


def test_both_names_are_reported_together(tmp_path: Path) -> None:
    for name in ("actors", "cluster"):
        package(tmp_path / name)
    assert run(Path("/"), tmp_path, ROOT)[1].count("error: ") == 2


@pytest.mark.parametrize("make", [folder, package, module])
def test_another_package_found_second_does_no_harm(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    make(tmp_path / "cluster")
    assert run(Path("/"), ROOT, tmp_path) == (0, "")


def test_a_folder_without_init_hides_nothing(tmp_path: Path) -> None:
    """Python takes a package found later before a plain folder found first."""
    folder(tmp_path / "cluster")
    assert run(tmp_path, tmp_path, ROOT) == (0, "")


def test_a_folder_without_init_is_one_line_where_it_hides_an_editable_install(tmp_path: Path) -> None:
    found = folder(tmp_path / "actors")
    # Setuptools' editable finder comes after Python's own.
    code = (
        "import importlib.util, sys\n"
        "from importlib.machinery import PathFinder\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name in ('staragents', 'actors', 'cluster'):\n"
        f"            return importlib.util.spec_from_file_location(name, f'{ROOT}/{{name}}/__init__.py')\n"
        "sys.meta_path.insert(sys.meta_path.index(PathFinder) + 1, Finder())\n"
        "from staragents.base.one_root import check_one_root\n"
        "check_one_root()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd="/",
        env={**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONSAFEPATH": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert f"expected the package actors in {ROOT}, got {found}" in done.stderr.splitlines()[-1]


def test_a_folder_that_was_deleted_is_named(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    program = (
        "import os, sys; os.rmdir(os.getcwd()); from staragents.__main__ import main; "
        "sys.argv[1:] = ['--version']; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=gone,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert done.stderr == "error: the current folder was deleted: start the command in another one\n"
