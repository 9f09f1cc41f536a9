"""Restarts of actors: how long calls wait for one, and how one that hangs gets one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import ray

from actors.clean_up import quietly

RESTART_TIMEOUT_S = 180.0
"""How long Ray may take to restart an actor whose node died."""
RESTART_POLL_S = 0.5


async def restart_polls() -> AsyncIterator[None]:
    """Yields at each time to try a call: now, then every RESTART_POLL_S until RESTART_TIMEOUT_S have passed.

    Calls fail immediately while an actor restarts (ray#25457), which would use up all attempts.
    """
    deadline = time.monotonic() + RESTART_TIMEOUT_S
    yield
    while time.monotonic() < deadline:
        await asyncio.sleep(RESTART_POLL_S)
        yield


def restart(actor: Any) -> None:
    """Kill an actor that hangs. Its calls in flight then fail as after a death, and Ray starts it again."""
    quietly(lambda: ray.kill(actor, no_restart=False))
