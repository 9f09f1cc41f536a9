"""The packages that training and tasks need."""

from __future__ import annotations

import importlib.util

from staragents.base.errors import BadInput
from staragents.base.extras import install_command


def check_packages(lora: bool = False) -> None:
    """Raises BadInput with the command that installs what is missing. Imports nothing."""
    needed = ("trl", "accelerate", "datasets", *(("peft",) if lora else ()))
    if missing := [name for name in needed if importlib.util.find_spec(name) is None]:
        raise BadInput(f"evaluate: expected the package {' and '.join(missing)}: {install_command('train')}")


def check_harness() -> None:
    """The same for lm-evaluation-harness."""
    if importlib.util.find_spec("lm_eval") is None:
        raise BadInput(f"--tasks: expected the package lm_eval: {install_command('harness')}")
