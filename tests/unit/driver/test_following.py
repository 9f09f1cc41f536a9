"""The driver follows a restarted coordinator as long as it makes progress between deaths."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ray.exceptions import ActorUnavailableError

from cluster.driver import optimise
from staragents.base.errors import RunFailed


class DyingAt:
    """A watcher whose coordinator dies at each of these numbers of saved seeds, then finishes."""

    draining = False

    def __init__(self, *cursors: int) -> None:
        self._cursors = list(cursors)
        self.cursor = 0

    def follow(self, coordinator: Any, running: Any) -> dict[str, Any]:
        if not self._cursors:
            return {"finished": True}
        self.cursor = self._cursors.pop(0)
        raise ActorUnavailableError("killed", None)

    def say(self, line: str) -> None:
        pass

    def state(self) -> dict[str, Any] | None:
        """State of the run directory; None before the first checkpoint."""
        return {"cursor": self.cursor} if self.cursor else None


@pytest.fixture(autouse=True)
def _immediate_restarts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optimise, "await_restart", lambda coordinator: None)


def follow(run: DyingAt, changed: bool = False, drains: list[int] | None = None) -> optimise.Outcome:
    drain = SimpleNamespace(remote=lambda: (drains if drains is not None else []).append(run.cursor))
    coordinator = SimpleNamespace(run=SimpleNamespace(remote=lambda: None), drain=drain)
    live = SimpleNamespace(changed=changed)
    return optimise._follow(run, coordinator, live, run)  # type: ignore[arg-type]


def test_deaths_with_progress_in_between_do_not_end_a_run() -> None:
    assert follow(DyingAt(0, 0, 4, 4, 9, 12, 12, 20)).summary == {"finished": True}


def test_a_coordinator_without_progress_is_given_up() -> None:
    with pytest.raises(RunFailed, match="died 3 times at seed 4"):
        follow(DyingAt(2, 4, 4, 4, 9))


def test_a_restarted_coordinator_is_told_again_that_it_should_stop() -> None:
    """It has forgotten that the user, or a config change, asked it to drain."""
    stopping, told = DyingAt(3, 5), list[int]()
    stopping.draining = True
    follow(stopping, drains=told)
    assert told == [3, 5]
    follow(DyingAt(7), changed=True, drains=told)
    follow(DyingAt(9), drains=told)
    assert told == [3, 5, 7]


@pytest.mark.parametrize(("finished", "stopped"), [(False, True), (True, False)])
def test_a_run_that_was_to_stop_in_its_last_seeds_is_not_called_stopped(
    finished: bool, stopped: bool
) -> None:
    assert optimise.Outcome({"run": {"finished": finished}}, interrupted=True).stopped is stopped
