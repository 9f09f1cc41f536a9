"""The domain of staragents: agents, scores, verdicts, evolution, memory, files. Pure Python.

Nothing in here imports ray or vllm (a test enforces it), and torch only in `staragents.scoring`.
`actors` may import this package; `cluster` may import both.
"""

from typing import Any

__version__ = "0.1.0"
__all__ = ["optimise", "score"]


def __getattr__(name: str) -> Any:
    # For users, who should not need to know our layers; nothing in them uses it.
    if name in __all__:
        from importlib import import_module

        return getattr(import_module("cluster.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
