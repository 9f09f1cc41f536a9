"""Steps on the way out: each is tried, whatever the others say."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import ray

logger = logging.getLogger(__name__)

NAME_FREE_S = 10.0


def quietly(step: Callable[..., object], *arguments: object) -> None:
    """Clean-up goes on whatever one step says; the first error is the one the user needs to see."""
    try:
        step(*arguments)
    except Exception as error:
        logger.debug("while stopping: %s", error)


def kill_named(actors: dict[str, Any]) -> None:
    """Kill actors by their names' handles, and wait until the names may be used again."""
    for actor in actors.values():
        quietly(ray.kill, actor)
    deadline = time.monotonic() + NAME_FREE_S
    for name in actors:
        while time.monotonic() < deadline:
            try:
                ray.get_actor(name)
            except Exception:
                break
            time.sleep(0.05)
