"""CPU time of the coordinator's process during a run."""

from __future__ import annotations

from typing import Any

import psutil
from rich.console import Console

from cluster.terminal.watcher import Watcher

LOOK_EVERY_S = 0.5


class CoordinatorCpu(Watcher):
    """CPU seconds of the coordinator's process between the first and the last sample of a run."""

    def __init__(self) -> None:
        super().__init__(Console(quiet=True), quiet=True)
        self._looks: list[tuple[float, int]] = []

    @property
    def seconds_each(self) -> float:
        """Per candidate."""
        (first, drawn), (last, more) = self._looks[0], self._looks[-1]
        return (last - first) / (more - drawn)

    def _wait(self, coordinator: Any, running: Any, every_s: float, show: Any) -> dict[str, Any]:
        return super()._wait(coordinator, running, LOOK_EVERY_S, self._look)

    def _look(self, status: dict[str, Any]) -> None:
        for process in psutil.Process().children(recursive=True):
            if "CoordinatorActor" in process.name():
                times = process.cpu_times()
                self._looks.append((times.user + times.system, status["drawn"]))
