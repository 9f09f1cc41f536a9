"""Whether `actors` and `cluster` are ours: they are common names, and another package of such a name would
give baffling errors."""

from __future__ import annotations

import importlib.util
import os
import sys
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

from staragents.errors import BadInput

ROOT = Path(__file__).resolve().parents[1]
SHARED_NAMES = ("actors", "cluster")


def check_one_root() -> None:
    """Raises BadInput with a line for each name that Python finds elsewhere, here or in Ray's workers."""
    problems = []
    for name in SHARED_NAMES:
        # Ray's workers look into the folder that the command was started in before anything else.
        spec = PathFinder.find_spec(name, [os.getcwd(), *sys.path]) or importlib.util.find_spec(name)
        found = _place(spec) if spec else None
        if found is None:
            problems.append(f"expected the package {name} in {ROOT}, got none: install staragents again")
        elif found != ROOT / name:
            problems.append(
                f"expected the package {name} in {ROOT}, got {found}, which Python finds first: rename it, "
                f"uninstall it, or keep {found.parent} out of PYTHONPATH and start in another folder"
            )
    if problems:
        raise BadInput(problems)


def _place(spec: ModuleSpec) -> Path | None:
    """The folder of a package, with or without `__init__.py`, or the file of a module."""
    if spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations))).resolve()
    return Path(spec.origin).resolve() if spec.origin else None
