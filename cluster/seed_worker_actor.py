"""A seed worker as the cluster has it: made from names, so that Ray can restart it from its arguments."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray

from actors.scorer_pool import ScorerPool, pack_characters
from actors.seed_worker import SeedWorker
from actors.seed_workers import CONTROL, CONTROL_CALLS
from cluster.clean_up import kill_named
from cluster.generators import generator_client
from staragents.config import Config
from staragents.redaction import guard_logs

# Python's default of 700 new objects looks for rings a few times a seed, at 8 % of this process's time.
OBJECTS_PER_COLLECTION = 50_000


@dataclass(frozen=True, slots=True)
class Pools:
    """Names of everything that seeds are worked on with: whoever is restarted finds it again (ray#53727)."""

    run_name: str
    generators: dict[str, str]
    target: list[str]
    larger: list[str]
    same_tokenizer: bool
    memory: str | None


class SeedWorkerActor(SeedWorker):
    """In the coordinator's process it is no actor, and the only one."""

    def __init__(self, config: Config, pools: Pools, cache: Path | None, beside: int = 1) -> None:
        """`beside` workers share what the pools may have in flight."""
        guard_logs()
        run, pack = config.run, pack_characters(config.scoring)
        self._config = config
        self._beside = beside
        super().__init__(
            config,
            generator_client(config, pools.generators, cache, beside),
            ScorerPool(_found(pools.target), pack, run.attempts, run.deadline_s),
            ScorerPool(_found(pools.larger), pack, run.attempts, run.deadline_s),
            pools.same_tokenizer,
            kept=run.admitted_seeds if run.workers else 0,
        )
        # All modules and models are here now and stay: nobody need look through them again.
        gc.freeze()
        gc.set_threshold(OBJECTS_PER_COLLECTION)

    async def tell(self, method: str, *arguments: Any) -> None:
        """As SeedWorkers.tell, of one."""
        await getattr(self, method)(*arguments)

    async def resize_model(self, name: str, high: int) -> None:
        """Send a model what `high` replicas can hold."""
        self.generators.resize(name, -(-high * self._config.models[name].max_ongoing // self._beside))

    async def add_scorer(self, role: str, name: str) -> None:
        for actor in _found([name]):
            self.scorers[role].add(actor)

    async def remove_scorer(self, role: str, name: str) -> None:
        """Returns when the scorer has nothing to do any more."""
        for actor in _found([name]):
            await self.scorers[role].remove(actor)


@contextmanager
def running_workers(config: Config, pools: Pools, cache: Path | None) -> Iterator[list[str]]:
    """`run.workers` processes beside the coordinator; gives their names, and removes them on leaving."""
    number = config.run.workers
    actors = {
        name: (
            ray.remote(concurrency_groups={CONTROL: CONTROL_CALLS})(SeedWorkerActor)  # type: ignore[call-overload]
            .options(
                name=name,
                num_cpus=1,
                max_restarts=-1,
                scheduling_strategy="SPREAD",
                # Its loop only waits: a thread of its own for Serve's router would cost a hop per request.
                runtime_env={"env_vars": {"RAY_SERVE_RUN_ROUTER_IN_SEPARATE_LOOP": "0"}},
            )
            .remote(config, pools, cache, number)
        )
        for name in (f"seed-worker-{index}-{pools.run_name}" for index in range(number))
    }
    try:
        yield list(actors)
    finally:
        kill_named(actors)


def _found(names: list[str]) -> list[Any]:
    """The actors that are there: whoever is restarted after a pool was made smaller has arguments that name
    some that are not, and is told of further ones."""
    found = []
    for name in names:
        try:
            found.append(ray.get_actor(name))
        except ValueError:
            continue
    return found
