"""The packages that training and tasks need."""

from __future__ import annotations

import importlib.util

from staragents.base.errors import BadInput

INSTALL = "pip install 'staragents[train]'"
INSTALL_HARNESS = "pip install 'staragents[harness]'"


def check_packages(lora: bool = False) -> None:
    """Raises BadInput with the command that installs what is missing. Imports nothing."""
    needed = ("trl", "accelerate", "datasets", *(("peft",) if lora else ()))
    if missing := [name for name in needed if importlib.util.find_spec(name) is None]:
        raise BadInput(f"evaluate: expected the package {' and '.join(missing)}: {INSTALL}")


def check_harness() -> None:
    """The same for lm-evaluation-harness."""
    if importlib.util.find_spec("lm_eval") is None:
        raise BadInput(f"--tasks: expected the package lm_eval: {INSTALL_HARNESS}")
