"""A coordinator that dies is followed for as long as it gets on in between."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ray.exceptions import ActorUnavailableError

from cluster import optimise
from staragents.errors import RunFailed


class DyingAt:
    """A watcher whose coordinator dies with so many seeds saved, one time after the other, then finishes."""

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
        """As the run directory gives it: there is none before the first checkpoint."""
        return {"cursor": self.cursor} if self.cursor else None


@pytest.fixture(autouse=True)
def _restarts_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optimise, "_await_restart", lambda coordinator: None)


def follow(run: DyingAt) -> optimise.Outcome:
    coordinator = SimpleNamespace(run=SimpleNamespace(remote=lambda: None))
    return optimise._follow(run, coordinator, run)  # type: ignore[arg-type]


def test_deaths_with_work_in_between_do_not_end_a_run() -> None:
    assert follow(DyingAt(0, 0, 4, 4, 9, 12, 12, 20)).summary == {"finished": True}


def test_a_coordinator_that_never_gets_on_is_given_up() -> None:
    with pytest.raises(RunFailed, match="died 3 times at seed 4"):
        follow(DyingAt(2, 4, 4, 4, 9))
