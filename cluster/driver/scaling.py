"""The driver's side of `staragents scale` and `change`: the driver owns the pools, so it resizes them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import ray
from ray.exceptions import RayError

from actors.clean_up import quietly
from actors.reasons import reason_of
from actors.request_queue import Answer, ChangeRequest, Request, ScaleRequest
from actors.scorer_pool import pack_characters
from cluster.driver.live_config import LiveConfig, send_change
from cluster.driver.running_scorers import RunningScorers
from cluster.pools.generators import replicas_of, resize_generator
from cluster.pools.scorer_load import ScorerLoad
from cluster.session.capacity import check_room
from cluster.session.demand import demand_of
from staragents.agents.probes import probes_of
from staragents.base.errors import RunFailed, StarAgentsError

logger = logging.getLogger(__name__)

POLL_S = 0.5
LOAD_EVERY_S = 2.0


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request for scorers that are still starting. `before`: the sizes to return to if one fails."""

    request_id: str
    request: ScaleRequest
    before: tuple[int, int]
    began: float


class Scaling:
    """Waits in a thread for requests that reach the coordinator, and carries them out one by one. Scorers
    load meanwhile: a request for more of them is answered once they are there."""

    def __init__(self, live: LiveConfig, say: Callable[[str], None]) -> None:
        self._live = live
        self._coordinator: Any = None
        self._say = say
        self._scorers = RunningScorers(live)
        self._loads = {
            role: ScorerLoad(pack_characters(live.config.scoring)) for role in self._scorers.loaded
        }
        self._sizes: dict[str, tuple[int, int]] = {}
        self._waiting: dict[str, Waiting] = {}
        """By the key of the pool."""
        self._growing: set[str] = set()
        """Roles that get more scorers by load."""
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
        self._scorers.close()

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
            try:
                self._attend_scorers()
            except Exception as error:  # a request that is waiting must still be answered
                logger.warning("scorers are not resized by load: %s", reason_of(error))
        request_id, request = ray.get(asked)
        try:
            answer = self._do(request_id, request)
        except RayError as error:  # first: an error of ours from an actor is both, and its text a traceback
            answer = Answer((reason_of(error),), RunFailed.exit_code)
        except StarAgentsError as error:
            answer = Answer(tuple(str(error).split("\n")), error.exit_code)
        except Exception as error:  # whoever asked waits for an answer
            logger.exception("a request failed")
            answer = Answer((f"{type(error).__name__}: {error}",), RunFailed.exit_code)
        if answer is not None:
            self._coordinator.answer.remote(request_id, answer)
        if isinstance(request, ChangeRequest) and self._live.changed:
            # The next coordinator starts with the new config and continues where this one ends.
            self._coordinator.drain.remote()

    def _do(self, request_id: str, request: Request) -> Answer | None:
        """None if the answer comes later."""
        if isinstance(request, ChangeRequest):
            lines = self._live.change(request.overrides)
            ray.get(self._coordinator.change_config.remote(self._live.config))
            self._say(f"applies when the seeds in flight are finished: {', '.join(lines)}")
            return Answer(lines)
        began, (section, _, name) = time.monotonic(), request.pool.partition(".")
        if section == "scoring":
            self._resize_scorers(name, Waiting(request_id, request, self._sizes[request.pool], began))
            return None
        self._resize_model(name, request.low, request.high)
        return self._resized(request, began)

    def _resized(self, request: ScaleRequest, began: float) -> Answer:
        size = _size(request.low, request.high)
        self._say(f"{request.pool} now has {size}, after {time.monotonic() - began:.0f} s")
        return Answer()

    def _resize_model(self, name: str, low: int, high: int) -> None:
        """A pause sets the in-flight limit to 0 first; otherwise the limit follows the resized pool."""
        key = f"models.{name}"
        pools, model = self._live.pools, self._live.config.models[name]
        if low:
            check_room(self._demand[key], low - replicas_of(pools.generators[name]))
        if high == 0:
            ray.get(self._coordinator.resized.remote(key, low, high))
        probes = probes_of(self._live.config, name)
        resize_generator(pools.generators[name], name, model, low, high, probes)
        ray.get(self._coordinator.resized.remote(key, low, high))
        self._sizes[key] = (low, high)

    def _resize_scorers(self, role: str, waiting: Waiting) -> None:
        """Begin to resize a pool of scorers; `_answer_waiting` answers once the smallest size is there."""
        key, low, high = waiting.request.pool, waiting.request.low, waiting.request.high
        now = self._scorers.size(role)
        check_room(self._demand[key], low - now)
        self._scorers.resize(role, min(max(now, low), high), self._coordinator)
        ray.get(self._coordinator.resized.remote(key, low, high))
        self._sizes[key] = (low, high)
        if (earlier := self._waiting.pop(key, None)) is not None:
            waiting = replace(waiting, before=earlier.before)
            answer = Answer((f"{key}: another size was asked for before this one was reached",), 1)
            self._coordinator.answer.remote(earlier.request_id, answer)
        self._waiting[key] = waiting
        self._answer_waiting({})

    def _answer_waiting(self, failed: Mapping[str, StarAgentsError]) -> None:
        """Answer requests whose scorers are there, or of a role in `failed`."""
        for key, waiting in list(self._waiting.items()):
            role = key.partition(".")[2]
            if (error := failed.get(role)) is not None:
                self._sizes[key] = waiting.before
                self._coordinator.resized.remote(key, *waiting.before)
                answer = Answer(tuple(str(error).split("\n")), error.exit_code)
            elif len(self._scorers.loaded[role]) < waiting.request.low:
                continue
            else:
                answer = self._resized(waiting.request, waiting.began)
            del self._waiting[key]
            self._coordinator.answer.remote(waiting.request_id, answer)

    def _attend_scorers(self) -> None:
        """Use the scorers that have loaded, and follow the load."""
        failed = self._scorers.join(self._coordinator)
        for role, error in failed.items():
            logger.info("scoring.%s is not resized: %s", role, error)
        for role in {role for role in self._growing if not self._scorers.are_starting(role)}:
            self._growing.remove(role)
            if role not in failed:
                self._say(f"scoring.{role} now has {self._scorers.size(role)} replicas, by load")
        self._answer_waiting(failed)
        if time.monotonic() - self._looked > LOAD_EVERY_S:
            self._looked = time.monotonic()
            self._follow_load()

    def _follow_load(self) -> None:
        """Autoscale scorers: as many as the queued rows need and as fit on the cluster."""
        ranges = {role: self._sizes[f"scoring.{role}"] for role in self._scorers.loaded}
        if all(low == high for low, high in ranges.values()):
            return
        outstanding = ray.get(self._coordinator.load.remote())
        for role, (low, high) in ranges.items():
            now = self._scorers.size(role)
            size = self._loads[role].wanted(time.monotonic(), now, outstanding.get(role, 0), low, high)
            if size == now or (size > now and self._scorers.are_starting(role)):
                continue
            try:
                check_room(self._demand[f"scoring.{role}"], size - now)
                self._scorers.resize(role, size, self._coordinator)
            except StarAgentsError as error:
                logger.info("scoring.%s is not resized: %s", role, error)
            else:
                self._growing.add(role)

    def _tell_all(self) -> None:
        for key, (low, high) in list(self._sizes.items()):
            self._coordinator.resized.remote(key, low, high)
        for role, names in self._scorers.loaded.items():
            for name in names:
                self._coordinator.add_scorer.remote(role, name)


def _size(low: int, high: int) -> str:
    return f"{low} replicas" if low == high else f"{low} to {high} replicas"
