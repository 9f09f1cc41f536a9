"""Removes the apps of a run whose driver was killed: Serve would keep them, and their engines the GPUs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import ray
from ray import serve
from ray._private.state import jobs
from ray.exceptions import RayActorError

from cluster.clean_up import quietly
from staragents.environment import ray_address
from staragents.errors import RunFailed

logger = logging.getLogger(__name__)

POLL_S = 2.0
# Whoever resumes a killed run within this time finds its engines loaded.
GRACE_S = 20.0
TRIES = 3
# A resource that every head has, and Serve's controller asks for: what it watches over ends with this node.
HEAD_NODE = "node:__internal_head__"


class Warden:
    """An actor that outlives the driver it serves, and one at a time: the last that came."""

    def __init__(self) -> None:
        self._job = ""
        self._apps: set[str] = set()
        self._removing = asyncio.Lock()

    async def take(self, job: str, apps: Sequence[str]) -> None:
        """From now on `job`, an id of Ray's, owns these apps too, and nobody else any. Does not return while
        some are being removed."""
        async with self._removing:
            self._apps = {*apps, *(self._apps if self._job == job else ())}
            self._job = job

    async def leave(self, apps: Sequence[str]) -> bool:
        """These are gone; whether there are no others."""
        self._apps -= set(apps)
        return not self._apps

    async def guard(self, job: str) -> None:
        """When `job` is over, remove its apps and go; unless they have another owner by then."""
        while not await asyncio.to_thread(_is_over, job):
            await asyncio.sleep(POLL_S)
        await asyncio.sleep(GRACE_S)
        async with self._removing:
            if self._job == job:
                await asyncio.to_thread(_remove, self._apps)
                ray.actor.exit_actor()


@contextmanager
def guarded(apps: Sequence[str], run_name: str) -> Iterator[None]:
    """Whatever becomes of this process, `apps` go, a little later.

    A local Ray ends with its driver, and needs no warden. Raises RunFailed if there is no room for one.
    """
    if not ray_address():
        yield
        return
    job = ray.get_runtime_context().get_job_id()
    warden = _warden(f"warden-{run_name}", job, apps)
    warden.guard.remote(job)
    yield
    # After an error or an interrupt it stays: it removes what the driver could not, and goes.
    quietly(_dismiss, warden, apps)


def _dismiss(warden: Any, apps: Sequence[str]) -> None:
    if ray.get(warden.leave.remote(list(apps))):
        ray.kill(warden)


def _warden(name: str, job: str, apps: Sequence[str]) -> Any:
    """That of the driver before, if the run is resumed soon after a kill."""
    for _ in range(TRIES):
        actor: Any = (
            ray.remote(Warden)
            .options(
                name=name, lifetime="detached", get_if_exists=True, num_cpus=0, resources={HEAD_NODE: 0.001}
            )
            .remote()
        )
        try:
            ray.get(actor.take.remote(job, list(apps)))
            return actor
        except RayActorError as error:  # it was leaving
            reason = error
    raise RunFailed(f"{name} did not start: {reason}")


def _is_over(job: str) -> bool:
    return all(one["IsDead"] for one in jobs() if one["JobID"] == job)


def _remove(apps: Collection[str]) -> None:
    left = serve.status().applications
    for app in (app for app in apps if app in left):
        try:
            serve.delete(app)
        except Exception as error:  # the other apps should go all the same
            logger.warning("%s was not removed: %s", app, error)
    if not serve.status().applications:
        serve.shutdown()
