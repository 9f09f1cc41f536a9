"""The domain of staragents: agents, scores, verdicts, evolution, memory, files.

Nothing here imports ray or vllm, and only `staragents.scoring` and `staragents.models` import torch. `actors`
may import this package; `cluster` may import both. Tests enforce this.
"""

from typing import Any

__version__ = "0.1.0"
__all__ = ["optimise", "score"]


def __getattr__(name: str) -> Any:
    # The public API, so that users need not know the layers. Internal code does not use it.
    if name in __all__:
        from importlib import import_module

        return getattr(import_module("cluster.driver.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
