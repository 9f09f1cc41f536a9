"""Clean-up steps: each is tried, even if others fail."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import ray

from actors.reasons import reason_of

logger = logging.getLogger(__name__)

NAME_FREE_S = 10.0


def quietly(step: Callable[..., object], *arguments: object) -> None:
    """Log errors of a clean-up step instead of raising: the user needs to see the original error."""
    try:
        step(*arguments)
    except Exception as error:
        logger.debug("while stopping: %s", reason_of(error))


def kill_named(actors: dict[str, Any]) -> None:
    """Kill actors, given as name -> handle, and wait until their names are free again."""
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
