"""The driver's part of `staragents scale`: it owns the pools, so it makes them larger and smaller."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import ray
from ray.exceptions import RayError

from actors.scale_desk import ScaleRequest
from actors.scorer_pool import pack_characters
from cluster import capacity
from cluster.demand import Demand, PoolDemand, demand_of
from cluster.generators import quietly, resize_generator
from cluster.scorer_load import ScorerLoad
from cluster.scorers import scorer_name, start_scorer
from cluster.seed_worker_actor import Pools
from staragents.config import Config
from staragents.errors import RunFailed, StarAgentsError

logger = logging.getLogger(__name__)

POLL_S = 0.5
LOAD_EVERY_S = 2.0


class Scaling:
    """Waits in a thread for requests that reach the coordinator, and carries them out one by one.

    Scorers that it starts belong to this process: on leaving they are stopped, and with the process they go.
    """

    def __init__(self, config: Config, pools: Pools, coordinator: Any, say: Callable[[str], None]) -> None:
        self._config = config
        self._pools = pools
        self._coordinator = coordinator
        self._say = say
        self._demand = {pool.key: pool for pool in demand_of(config).pools}
        self._sizes = {key: (pool.replicas, pool.max_replicas) for key, pool in self._demand.items()}
        self._names = {"target": list(pools.target), "larger": list(pools.larger)}
        self._started: dict[str, Any] = {}
        self._loads = {role: ScorerLoad(pack_characters(config.scoring)) for role in self._names}
        self._looked = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="scaling", daemon=True)

    def __enter__(self) -> Scaling:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join(timeout=2 * POLL_S)
        for actor in self._started.values():
            quietly(ray.kill, actor)

    def _serve(self) -> None:
        while not self._over.is_set():
            try:
                self._one_request()
            except RayError as error:
                # The coordinator is being restarted: it has forgotten sizes that were changed.
                logger.debug("while waiting for a scale request: %s", error)
                time.sleep(POLL_S)
                quietly(self._tell_all)

    def _one_request(self) -> None:
        asked = self._coordinator.next_scale.remote()
        while not ray.wait([asked], timeout=POLL_S)[0]:
            if self._over.is_set():
                return
            if time.monotonic() - self._looked > LOAD_EVERY_S:
                self._follow_load()
                self._looked = time.monotonic()
        request: ScaleRequest = ray.get(asked)
        problem = ""
        try:
            self._resize(request.pool, request.low, request.high)
            self._say(f"{request.pool} has {_size(request.low, request.high)} now")
        except StarAgentsError as error:
            problem = str(error)
        except RayError as error:
            problem = f"{request.pool}: {str(error).strip().splitlines()[-1]}"
        self._coordinator.scaled.remote(request.number, problem)

    def _resize(self, key: str, low: int, high: int) -> None:
        pool, (now, _) = self._demand[key], self._sizes[key]
        _check_room(pool, low - now)
        section, _, name = key.partition(".")
        if section == "models":
            self._resize_model(name, low, high)
        else:
            self._resize_scorers(name, min(max(len(self._names[name]), low), high))
            ray.get(self._coordinator.resized.remote(key, low, high))
        self._sizes[key] = (low, high)

    def _resize_model(self, name: str, low: int, high: int) -> None:
        """The window follows a pool that grows and goes ahead of one that shrinks."""
        key = f"models.{name}"
        if high == 0:
            ray.get(self._coordinator.resized.remote(key, low, high))
        resize_generator(self._pools.generators[name], name, self._config.models[name], low, high)
        ray.get(self._coordinator.resized.remote(key, low, high))

    def _follow_load(self) -> None:
        """Scorers that may be several: as many as what waits for them asks for, and there is room for."""
        ranges = {role: self._sizes[f"scoring.{role}"] for role in self._names}
        if all(low == high for low, high in ranges.values()):
            return
        outstanding = ray.get(self._coordinator.load.remote())
        for role, (low, high) in ranges.items():
            now = len(self._names[role])
            size = self._loads[role].wanted(time.monotonic(), now, outstanding.get(role, 0), low, high)
            if size == now:
                continue
            try:
                _check_room(self._demand[f"scoring.{role}"], size - now)
                self._resize_scorers(role, size)
            except StarAgentsError as error:
                logger.info("scoring.%s stays as it is: %s", role, error)
            else:
                self._say(f"scoring.{role} has {size} replicas now, by load")

    def _resize_scorers(self, role: str, size: int) -> None:
        names = self._names[role]
        while len(names) < size:
            index = next(i for i in range(size) if scorer_name(role, i, self._pools.run_name) not in names)
            self._add_scorer(role, scorer_name(role, index, self._pools.run_name))
        while len(names) > size:
            name = names[-1]
            ray.get(self._coordinator.remove_scorer.remote(role, name))
            ray.kill(ray.get_actor(name))
            self._started.pop(name, None)
            names.remove(name)

    def _add_scorer(self, role: str, name: str) -> None:
        actor = start_scorer(self._config.scoring, role, name)
        try:
            ray.get(actor.start.remote())
        except RayError as error:
            quietly(ray.kill, actor)
            reason = str(error).strip().splitlines()[-1]
            raise RunFailed(f"scoring.{role}: another scorer did not start: {reason}") from error
        self._started[name] = actor
        ray.get(self._coordinator.add_scorer.remote(role, name))
        self._names[role].append(name)

    def _tell_all(self) -> None:
        for key, (low, high) in self._sizes.items():
            self._coordinator.resized.remote(key, low, high)
        for role, names in self._names.items():
            for name in names:
                self._coordinator.add_scorer.remote(role, name)


def _check_room(pool: PoolDemand, more: int) -> None:
    """Raises RunFailed unless `more` replicas fit beside what runs, with what the autoscaler may add."""
    if more <= 0:
        return
    there, used = capacity.of_the_cluster(), ray.cluster_resources()
    free = ray.available_resources()
    for kind, each, total in (("CPU", pool.cpus, there.cpus), ("GPU", pool.gpus, there.gpus)):
        room = total - used.get(kind, 0.0) + free.get(kind, 0.0)
        if more * each > room:
            raise RunFailed(
                f"{pool.key}: {more} more replicas need {more} x {each:g} = {more * each:g} {kind}s; "
                f"{room:g} of {total:g} in {there.where} are free"
            )
    there.check(Demand((replace(pool, replicas=1),)))


def _size(low: int, high: int) -> str:
    return f"{low} replicas" if low == high else f"{low} to {high} replicas"
