"""CPU time of a run's processes."""

from __future__ import annotations

import contextlib
from collections import Counter
from typing import Any

import psutil
from rich.console import Console

from cluster.terminal.watcher import Watcher

LOOK_EVERY_S = 0.5
COORDINATOR = "CoordinatorActor"
KINDS = {
    COORDINATOR: "coordinator",
    "SeedWorker": "seed workers",
    "ServeReplica": "replicas of fake engines",
    "Scorer": "fake scorers",
    "MemoryActor": "memory bank",
    "ServeController": "Serve's controller",
    "raylet": "raylet",
    "gcs_server": "Ray's GCS",
}
"""By a part of a process's name."""


class CoordinatorCpu(Watcher):
    """CPU seconds of each kind of process between the first and the last sample of a run."""

    def __init__(self) -> None:
        super().__init__(Console(quiet=True), quiet=True)
        self._looks: list[tuple[Counter[str], int]] = []

    @property
    def seconds_each(self) -> float:
        """The coordinator's, per candidate."""
        return self.by_kind()["coordinator"]

    def by_kind(self) -> dict[str, float]:
        """Per candidate, by the values of `KINDS`."""
        (first, drawn), (last, more) = self._looks[0], self._looks[-1]
        return {kind: (last[kind] - first[kind]) / (more - drawn) for kind in last}

    def _wait(self, coordinator: Any, running: Any, every_s: float, show: Any) -> dict[str, Any]:
        return super()._wait(coordinator, running, LOOK_EVERY_S, self._look)

    def _look(self, status: dict[str, Any]) -> None:
        spent: Counter[str] = Counter()
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                name, times = process.name(), process.cpu_times()
                for part, kind in KINDS.items():
                    if part in name:
                        spent[kind] += times.user + times.system
                        break
        self._looks.append((spent, status["drawn"]))
