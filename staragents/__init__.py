"""The domain of staragents: agents, scores, verdicts, evolution, memory, files.

Nothing here imports ray or vllm (a test enforces this), and only `staragents.scoring` imports torch.
`actors` may import this package; `cluster` may import both.
"""

from typing import Any

__version__ = "0.1.0"
__all__ = ["optimise", "score"]


def __getattr__(name: str) -> Any:
    # The public API, so that users need not know the layers. Internal code does not use it.
    if name in __all__:
        from importlib import import_module

        return getattr(import_module("cluster.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
