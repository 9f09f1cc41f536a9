"""What the replicas of models on servers found out about their servers."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from ray import serve
from ray.exceptions import RayError
from ray.serve.exceptions import RayServeException

from staragents.config import Config, EngineKind

LONGEST_S = 10.0
_NOT_TOLD = (RayError, RayServeException, TimeoutError)


def server_remarks(config: Config, apps: dict[str, str]) -> dict[str, list[str]]:
    """By model on a server: what its running replica found that the server does not take. A replica that does
    not tell in time has nothing to say: the run does not depend on it."""
    found = {}
    for name, app in _on_servers(config, apps):
        with suppress(*_NOT_TOLD):
            found[name] = list(_asked(app).result(timeout_s=LONGEST_S))
    return {name: lines for name, lines in found.items() if lines}


async def later_remarks(
    config: Config, apps: dict[str, str], before: dict[str, list[str]]
) -> dict[str, list[str]]:
    """`before`, with what the replicas have found since. Serve allows no `result` in an event loop."""
    found = dict(before)
    for name, app in _on_servers(config, apps):
        with suppress(*_NOT_TOLD):
            lines = await asyncio.wait_for(_asked(app), LONGEST_S)
            found[name] = list(dict.fromkeys([*before.get(name, ()), *lines]))
    return {name: lines for name, lines in found.items() if lines}


def _on_servers(config: Config, apps: dict[str, str]) -> list[tuple[str, str]]:
    return [(name, app) for name, app in apps.items() if config.models[name].kind is EngineKind.openai]


def _asked(app: str) -> Any:
    return serve.get_app_handle(app).options(method_name="remarks").remote()
