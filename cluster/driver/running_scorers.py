"""The scorers of a run in progress: some start and some stop, and no call waits until a model is loaded."""

from __future__ import annotations

from itertools import count
from typing import Any

import ray

from actors.clean_up import quietly
from actors.starting import started
from cluster.driver.live_config import LiveConfig
from cluster.pools.scorers import scorer_name, start_scorer
from staragents.base.errors import RunFailed


class RunningScorers:
    """By role, those that are loaded and those that are starting: on a cluster without room, a scorer starts
    for as long as no node joins.

    Scorers that it starts belong to this process: they are stopped by `close` and end with the process.
    """

    def __init__(self, live: LiveConfig) -> None:
        self._live = live
        self.loaded = {"target": list(live.pools.target), "larger": list(live.pools.larger)}
        """Names by role."""
        self._starting: dict[str, dict[str, Any]] = {role: {} for role in self.loaded}
        """By role and name, the call that loads the model."""
        # A name is never given again: whoever reads the names of the pools would take a scorer that is still
        # starting for the removed one.
        self._indices = {role: count(len(names)) for role, names in self.loaded.items()}
        self._actors: dict[str, Any] = {}
        """The handles of those that were started here."""

    def size(self, role: str) -> int:
        """The number of scorers, loaded or starting."""
        return len(self.loaded[role]) + len(self._starting[role])

    def are_starting(self, role: str) -> bool:
        return bool(self._starting[role])

    def resize(self, role: str, size: int, coordinator: Any) -> None:
        """Start scorers, or stop some of them, first those that are still starting. Returns once those that
        stop are idle; `join` lets the coordinator use the others."""
        loaded, starting = self.loaded[role], self._starting[role]
        while self.size(role) < size:
            self._start(role)
        while self.size(role) > size and starting:
            self._stop(starting.popitem()[0])
        while self.size(role) > size:
            ray.get(coordinator.remove_scorer.remote(role, loaded[-1]))
            self._stop(loaded.pop())

    def join(self, coordinator: Any) -> dict[str, RunFailed]:
        """Let the coordinator use the scorers that have loaded since the last call. Returns why a scorer did
        not start, by role: the others of that role that are still starting are then stopped too."""
        failed: dict[str, RunFailed] = {}
        for role, starting in self._starting.items():
            for name, loading in list(starting.items()):
                if not ray.wait([loading], timeout=0)[0]:
                    continue
                try:
                    started([loading], f"scoring.{role}: another scorer did not start:")
                except RunFailed as error:
                    failed[role] = error
                    self.resize(role, len(self.loaded[role]), coordinator)
                    break
                self.loaded[role].append(name)
                del starting[name]
                ray.get(coordinator.add_scorer.remote(role, name))
        return failed

    def close(self) -> None:
        for actor in self._actors.values():
            quietly(ray.kill, actor)

    def _start(self, role: str) -> None:
        name = scorer_name(role, next(self._indices[role]), self._live.pools.run_name)
        actor = self._actors[name] = start_scorer(self._live.config.scoring, role, name)
        self._starting[role][name] = actor.start.remote()

    def _stop(self, name: str) -> None:
        actor = self._actors.pop(name, None)
        quietly(lambda: ray.kill(actor if actor is not None else ray.get_actor(name)))
