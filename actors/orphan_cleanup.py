"""Orphan clean-up: removes the Serve apps of a run whose driver was killed, which would keep their GPUs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import ray
from ray import serve
from ray.exceptions import RayActorError

from actors.clean_up import quietly
from actors.logs import configure_logs
from actors.ray_internals import is_over
from staragents.base.environment import ray_address
from staragents.base.errors import RunFailed

logger = logging.getLogger(__name__)

POLL_S = 2.0
# A killed run that is resumed within this time finds its engines loaded.
GRACE_S = 20.0
ATTEMPTS = 3
# A resource of every head node. Serve's controller requests it too, so apps and clean-up end with this node.
HEAD_NODE = "node:__internal_head__"


class OrphanCleanup:
    """A detached actor that outlives its driver. It serves one driver at a time, the most recent."""

    def __init__(self) -> None:
        configure_logs()
        self._job = ""
        self._apps: set[str] = set()
        self._removing = asyncio.Lock()

    async def take(self, job: str, apps: Sequence[str]) -> None:
        """Make Ray job `job` the only owner of these apps. Waits while apps are being removed."""
        async with self._removing:
            self._apps = {*apps, *(self._apps if self._job == job else ())}
            self._job = job

    async def leave(self, apps: Sequence[str]) -> bool:
        """Forget removed apps. Returns whether none are left."""
        self._apps -= set(apps)
        return not self._apps

    async def guard(self, job: str) -> None:
        """When `job` has ended, remove its apps and exit, unless they have another owner by then."""
        while not await asyncio.to_thread(is_over, job):
            await asyncio.sleep(POLL_S)
        await asyncio.sleep(GRACE_S)
        async with self._removing:
            if self._job == job:
                await asyncio.to_thread(_remove, self._apps)
                ray.actor.exit_actor()


@contextmanager
def guarded(apps: Sequence[str], run_name: str) -> Iterator[None]:
    """Ensure that `apps` are removed even if this process is killed.

    Not needed for a local Ray, which ends with its driver. Raises RunFailed if the actor can't be started.
    """
    if not ray_address():
        yield
        return
    job = ray.get_runtime_context().get_job_id()
    cleanup = _started(f"orphan-cleanup-{run_name}", job, apps)
    cleanup.guard.remote(job)
    yield
    # After an error or interrupt the actor stays, removes what the driver could not, and exits.
    quietly(_dismiss, cleanup, apps)


def _dismiss(cleanup: Any, apps: Sequence[str]) -> None:
    if ray.get(cleanup.leave.remote(list(apps))):
        ray.kill(cleanup)


def _started(name: str, job: str, apps: Sequence[str]) -> Any:
    """Start the actor, or reuse the previous driver's if the run is resumed soon after a kill."""
    for _ in range(ATTEMPTS):
        actor: Any = (
            ray.remote(OrphanCleanup)
            .options(
                name=name, lifetime="detached", get_if_exists=True, num_cpus=0, resources={HEAD_NODE: 0.001}
            )
            .remote()
        )
        try:
            ray.get(actor.take.remote(job, list(apps)))
            return actor
        except RayActorError as error:  # it was exiting
            reason = error
    raise RunFailed(f"{name} did not start: {reason}")


def _remove(apps: Collection[str]) -> None:
    left = serve.status().applications
    for app in (app for app in apps if app in left):
        try:
            serve.delete(app)
        except Exception as error:  # remove the other apps anyway
            logger.warning("%s was not removed: %s", app, error)
    if not serve.status().applications:
        serve.shutdown()
