"""Checks that `actors` and `cluster` are our packages: another package with such a common name would cause
confusing errors."""

from __future__ import annotations

import importlib.util
import os
import sys
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

from staragents.base.errors import BadInput

ROOT = Path(__file__).resolve().parents[2]
SHARED_NAMES = ("actors", "cluster")


def check_one_root() -> None:
    """Raises BadInput with a line for each name that this process or Ray's workers would import from
    elsewhere."""
    problems = []
    try:
        here = os.getcwd()
    except FileNotFoundError:
        # Ray's processes can't start in it either.
        raise BadInput("the current folder was deleted: start the command in another one") from None
    for name in SHARED_NAMES:
        # Ray's workers search the working directory of the command first.
        spec = PathFinder.find_spec(name, [here, *sys.path]) or importlib.util.find_spec(name)
        found = _location(spec) if spec else None
        if found is None:
            problems.append(f"expected the package {name} in {ROOT}, got none: install staragents again")
        elif found != ROOT / name:
            problems.append(
                f"expected the package {name} in {ROOT}, got {found}, which Python finds first: rename it, "
                f"uninstall it, or remove {found.parent} from PYTHONPATH and start in a different folder"
            )
    if problems:
        raise BadInput(problems)


def _location(spec: ModuleSpec) -> Path | None:
    """The folder of a package (with or without `__init__.py`) or the file of a module."""
    if spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations))).resolve()
    return Path(spec.origin).resolve() if spec.origin else None
