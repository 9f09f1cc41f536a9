"""The driver's side of `staragents scale` and `change`: the driver owns the pools, so it resizes them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import ray
from ray.exceptions import RayError

from actors.clean_up import quietly
from actors.reasons import reason_of
from actors.request_queue import Answer, ChangeRequest, Request
from actors.scorer_pool import pack_characters
from actors.starting import started
from cluster.driver.live_config import LiveConfig, send_change
from cluster.pools.generators import resize_generator
from cluster.pools.scorer_load import ScorerLoad
from cluster.pools.scorers import scorer_name, start_scorer
from cluster.session.capacity import check_room
from cluster.session.demand import demand_of
from staragents.agents.probes import probes_of
from staragents.base.errors import RunFailed, StarAgentsError

logger = logging.getLogger(__name__)

POLL_S = 0.5
LOAD_EVERY_S = 2.0


class Scaling:
    """Waits in a thread for requests that reach the coordinator, and carries them out one by one.

    Scorers that it starts belong to this process: they are stopped on exit and end with the process.
    """

    def __init__(self, live: LiveConfig, say: Callable[[str], None]) -> None:
        self._live = live
        self._coordinator: Any = None
        self._say = say
        self._names = {"target": list(live.pools.target), "larger": list(live.pools.larger)}
        self._started: dict[str, Any] = {}
        self._loads = {role: ScorerLoad(pack_characters(live.config.scoring)) for role in self._names}
        self._sizes: dict[str, tuple[int, int]] = {}
        self._looked = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="scaling", daemon=True)

    def __enter__(self) -> Scaling:
        return self

    def attend(self, coordinator: Any) -> None:
        """Take requests from this coordinator from now on, and send it the current sizes of the pools."""
        self._coordinator = coordinator
        self._demand = {pool.key: pool for pool in demand_of(self._live.config).pools}
        for key, pool in self._demand.items():
            self._sizes.setdefault(key, (pool.replicas, pool.max_replicas))
        self._tell_all()
        if not self._thread.is_alive():
            self._thread.start()
        # It may have ended after this coordinator got its config, and was then sent to its predecessor.
        send_change(self._live, coordinator)

    def __exit__(self, *error: object) -> None:
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2 * POLL_S)
        for actor in self._started.values():
            quietly(ray.kill, actor)

    def _serve(self) -> None:
        while not self._over.is_set():
            try:
                self._one_request()
            except RayError as error:
                # The coordinator is restarting and has lost changed sizes.
                if not self._over.wait(POLL_S):
                    logger.debug("while waiting for a scale request: %s", reason_of(error))
                    quietly(self._tell_all)

    def _one_request(self) -> None:
        asked = self._coordinator.next_request.remote()
        while not ray.wait([asked], timeout=POLL_S)[0]:
            if self._over.is_set():
                return
            if time.monotonic() - self._looked > LOAD_EVERY_S:
                self._looked = time.monotonic()
                try:
                    self._follow_load()
                except Exception as error:  # a request that is waiting must still be answered
                    logger.warning("scorers are not resized by load: %s", reason_of(error))
        request_id, request = ray.get(asked)
        try:
            answer = self._do(request)
        except RayError as error:  # first: an error of ours from an actor is both, and its text a traceback
            answer = Answer((reason_of(error),), RunFailed.exit_code)
        except StarAgentsError as error:
            answer = Answer(tuple(str(error).split("\n")), error.exit_code)
        except Exception as error:  # whoever asked waits for an answer
            logger.exception("a request failed")
            answer = Answer((f"{type(error).__name__}: {error}",), RunFailed.exit_code)
        self._coordinator.answer.remote(request_id, answer)
        if isinstance(request, ChangeRequest) and self._live.changed:
            # The next coordinator starts with the new config and continues where this one ends.
            self._coordinator.drain.remote()

    def _do(self, request: Request) -> Answer:
        if isinstance(request, ChangeRequest):
            lines = self._live.change(request.overrides)
            ray.get(self._coordinator.change_config.remote(self._live.config))
            self._say(f"applies when the seeds in flight are finished: {', '.join(lines)}")
            return Answer(lines)
        began = time.monotonic()
        self._resize(request.pool, request.low, request.high)
        seconds = time.monotonic() - began
        self._say(f"{request.pool} now has {_size(request.low, request.high)}, after {seconds:.0f} s")
        return Answer()

    def _resize(self, key: str, low: int, high: int) -> None:
        pool, (now, _) = self._demand[key], self._sizes[key]
        check_room(pool, low - now)
        section, _, name = key.partition(".")
        if section == "models":
            self._resize_model(name, low, high)
        else:
            self._resize_scorers(name, min(max(len(self._names[name]), low), high))
            ray.get(self._coordinator.resized.remote(key, low, high))
        self._sizes[key] = (low, high)

    def _resize_model(self, name: str, low: int, high: int) -> None:
        """A pause sets the in-flight limit to 0 first; otherwise the limit follows the resized pool."""
        key = f"models.{name}"
        if high == 0:
            ray.get(self._coordinator.resized.remote(key, low, high))
        pools, model = self._live.pools, self._live.config.models[name]
        probes = probes_of(self._live.config, name)
        resize_generator(pools.generators[name], name, model, low, high, probes)
        ray.get(self._coordinator.resized.remote(key, low, high))

    def _follow_load(self) -> None:
        """Autoscale scorers: as many as the queued rows need and as fit on the cluster."""
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
                check_room(self._demand[f"scoring.{role}"], size - now)
                self._resize_scorers(role, size)
            except StarAgentsError as error:
                logger.info("scoring.%s is not resized: %s", role, error)
            else:
                self._say(f"scoring.{role} now has {size} replicas, by load")

    def _resize_scorers(self, role: str, size: int) -> None:
        names = self._names[role]
        while len(names) < size:
            index = next(
                i for i in range(size) if scorer_name(role, i, self._live.pools.run_name) not in names
            )
            self._add_scorer(role, scorer_name(role, index, self._live.pools.run_name))
        while len(names) > size:
            name = names[-1]
            ray.get(self._coordinator.remove_scorer.remote(role, name))
            quietly(lambda name=name: ray.kill(ray.get_actor(name)))
            self._started.pop(name, None)
            names.remove(name)

    def _add_scorer(self, role: str, name: str) -> None:
        actor = start_scorer(self._live.config.scoring, role, name)
        try:
            started([actor.start.remote()], f"scoring.{role}: another scorer did not start:")
        except RunFailed:
            quietly(ray.kill, actor)
            raise
        self._started[name] = actor
        ray.get(self._coordinator.add_scorer.remote(role, name))
        self._names[role].append(name)

    def _tell_all(self) -> None:
        for key, (low, high) in list(self._sizes.items()):
            self._coordinator.resized.remote(key, low, high)
        for role, names in self._names.items():
            for name in names:
                self._coordinator.add_scorer.remote(role, name)


def _size(low: int, high: int) -> str:
    return f"{low} replicas" if low == high else f"{low} to {high} replicas"
