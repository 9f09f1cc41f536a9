"""What the replicas of models on servers found out about their servers."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from ray import serve
from ray.exceptions import RayError
from ray.serve.exceptions import RayServeException

from staragents.config import Config, EngineKind

LONGEST_S = 10.0


def server_remarks(config: Config, apps: dict[str, str]) -> dict[str, list[str]]:
    """By model on a server: what its running replica found that the server does not take. A replica that does
    not tell in time has nothing to say: the run does not depend on it."""
    found = {}
    for name, app in apps.items():
        if config.models[name].kind is EngineKind.openai:
            with suppress(RayError, RayServeException, TimeoutError):
                told = serve.get_app_handle(app).options(method_name="remarks").remote()
                found[name] = list(told.result(timeout_s=LONGEST_S))
    return {name: lines for name, lines in found.items() if lines}


async def later_remarks(
    config: Config, apps: dict[str, str], before: dict[str, list[str]]
) -> dict[str, list[str]]:
    """`before`, with what the replicas have found since."""
    # In a thread, as an event loop refuses to wait for Serve.
    later = await asyncio.to_thread(server_remarks, config, apps)
    return {
        name: list(dict.fromkeys([*before.get(name, ()), *later.get(name, ())]))
        for name in {**before, **later}
    }
