"""The packages that training needs."""

from __future__ import annotations

import importlib.util

from staragents.base.errors import BadInput

INSTALL = "pip install 'staragents[train]'"


def check_packages(lora: bool = False) -> None:
    """Raises BadInput with the command that installs what is missing. Imports nothing."""
    needed = ("trl", "accelerate", "datasets", *(("peft",) if lora else ()))
    if missing := [name for name in needed if importlib.util.find_spec(name) is None]:
        raise BadInput(f"evaluate: expected the package {' and '.join(missing)}: {INSTALL}")
