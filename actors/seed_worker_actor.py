"""A seed worker as a Ray actor: takes actor names, so that Ray can restart it from its arguments."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ray

from actors.clean_up import kill_named
from actors.control import AddScorer, Control, RemoveScorer, ResizeModel
from actors.generator_client import connect, fixed_size
from actors.logs import configure_logs
from actors.scorer_pool import ScorerPool, pack_characters
from actors.seed_worker import SeedWorker
from actors.seed_workers import CONTROL, CONTROL_CALLS
from actors.starting import start_actor
from actors.working_dir import enter_working_dir
from staragents.config import Config

# At Python's default of 700 new objects, cycle collection takes 8 % of this process's time.
OBJECTS_PER_COLLECTION = 50_000
# Its loop only waits: a separate thread for Serve's router would add a hop per request.
SAME_LOOP = {"RAY_SERVE_RUN_ROUTER_IN_SEPARATE_LOOP": "0"}


@dataclass(frozen=True, slots=True)
class Pools:
    """Names of all actors and apps that process seeds, so that restarted actors find them (ray#53727)."""

    run_name: str
    generators: dict[str, str]
    target: list[str]
    larger: list[str]
    same_tokenizer: bool
    memory: str | None
    servers: dict[str, list[str]] = field(default_factory=dict)
    """By model on a server: what the server does not take, and what is done instead."""


class SeedWorkerActor(SeedWorker):
    """Without `run.workers`, a single plain instance runs in the coordinator's process.

    Ray runs control calls in a thread with an event loop of their own. `state` only reads there; whatever
    changes pools or tasks runs in the loop that they belong to.
    """

    def __init__(self, config: Config, pools: Pools, cache: Path | None, num_workers: int = 1) -> None:
        """`num_workers` workers split the in-flight limits of the pools."""
        configure_logs()
        enter_working_dir()
        # Ray constructs an async actor in the loop of its other calls (ray 2.60).
        self._loop = asyncio.get_running_loop()
        run, pack = config.run, pack_characters(config.scoring)
        self._config = config
        self._num_workers = num_workers
        super().__init__(
            config,
            connect(config, pools.generators, cache, num_workers),
            ScorerPool(_found(pools.target), pack, run.attempts, run.deadline_s),
            ScorerPool(_found(pools.larger), pack, run.attempts, run.deadline_s),
            pools.same_tokenizer,
            kept=run.admitted_seeds if run.workers else 0,
        )
        # All modules and models are loaded and stay: exclude them from garbage collection.
        gc.freeze()
        gc.set_threshold(OBJECTS_PER_COLLECTION)

    async def tell(self, message: Control) -> None:
        """Carry out a message; returns when that is done."""
        await self._in_own_loop(self._carry_out(message))

    async def stop(self) -> None:
        await self._in_own_loop(super().stop())

    async def _in_own_loop(self, work: Coroutine[Any, Any, None]) -> None:
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    async def _carry_out(self, message: Control) -> None:
        match message:
            case ResizeModel(name, low, high):
                limit = -(-high * self._config.models[name].max_ongoing // self._num_workers)
                self.generators.resize(name, limit, fixed_size(low, high))
            case AddScorer(role, name):
                for actor in _found([name]):
                    self.scorers[role].add(actor)
            case RemoveScorer(role, name):
                for actor in _found([name]):
                    await self.scorers[role].remove(actor)


@contextmanager
def running_workers(config: Config, pools: Pools, cache: Path | None) -> Iterator[list[str]]:
    """Start `run.workers` worker actors; yields their names and removes them on exit."""
    number = config.run.workers
    actors = {
        name: start_actor(
            SeedWorkerActor,
            name,
            *(config, pools, cache, number),
            environment=SAME_LOOP,
            concurrency_groups={CONTROL: CONTROL_CALLS},
            num_cpus=1,
            scheduling_strategy="SPREAD",
        )
        for name in (f"seed-worker-{index}-{pools.run_name}" for index in range(number))
    }
    try:
        yield list(actors)
    finally:
        kill_named(actors)


def _found(names: list[str]) -> list[Any]:
    """Handles of the actors that exist. After a resize, the arguments of a restarted actor may name removed
    actors; added ones are sent to it separately."""
    found = []
    for name in names:
        try:
            found.append(ray.get_actor(name))
        except ValueError:
            continue
    return found
