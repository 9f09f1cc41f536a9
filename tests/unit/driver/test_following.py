"""The driver follows a restarted coordinator as long as it makes progress between deaths."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ray.exceptions import ActorUnavailableError

from actors.seed_worker_actor import Pools
from cluster.driver import optimise
from cluster.driver.live_config import LiveConfig
from staragents.base.errors import RunFailed
from staragents.data.seed_file import SeedFile
from staragents.run.work import Left, Work
from staragents.run_directory.run_directory import RunDirectory
from staragents.validation.loading import load_config
from tests.support.paths import FAKE


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


def follow(run: DyingAt, changed: bool = False, told: list[Any] | None = None) -> optimise.Outcome:
    def call(name: str) -> SimpleNamespace:
        calls = told if told is not None else []
        return SimpleNamespace(remote=lambda *arguments: calls.append((run.cursor, name, *arguments)))

    coordinator = SimpleNamespace(
        run=SimpleNamespace(remote=lambda: None), drain=call("drain"), change_config=call("change_config")
    )
    live = SimpleNamespace(changed=changed, config="newest")
    return optimise._follow(run, coordinator, live, run)  # type: ignore[arg-type]


def test_deaths_with_progress_in_between_do_not_end_a_run() -> None:
    assert follow(DyingAt(0, 0, 4, 4, 9, 12, 12, 20)).summary == {"finished": True}


def test_a_coordinator_without_progress_is_given_up() -> None:
    with pytest.raises(RunFailed, match="died 3 times at seed 4"):
        follow(DyingAt(2, 4, 4, 4, 9))


def test_a_restarted_coordinator_is_told_again_that_it_should_stop() -> None:
    """It has forgotten that the user, or a config change, asked it to drain."""
    stopping, told = DyingAt(3, 5), list[Any]()
    stopping.draining = True
    follow(stopping, told=told)
    assert told == [(3, "drain"), (5, "drain")]
    told.clear()
    follow(DyingAt(7), changed=True, told=told)
    follow(DyingAt(9), told=told)
    assert told == [(7, "change_config", "newest"), (7, "drain")]


@pytest.mark.parametrize(
    ("finished", "interrupted", "used"),
    [(False, False, ["old", "new"]), (True, False, ["old", "new"]), (False, True, ["old"])],
)
def test_a_change_is_applied_also_if_the_run_ends_before(
    finished: bool,
    interrupted: bool,
    used: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = load_config(FAKE, [f"output.dir={tmp_path / 'run'}", "output.title=old"])
    scan, run = SeedFile(config.seeds).scan(), RunDirectory(config.output.dir)
    run.create(config, scan)
    titles: list[str] = []

    def coordinate(work: Work, session: str, live: LiveConfig, *_: Any) -> optimise.Outcome:
        titles.append(live.config.output.title)
        live.changed = len(titles) == 1
        live.config = load_config(FAKE, [f"output.dir={run.path}", "output.title=new"])
        return optimise.Outcome({"run": {"finished": finished}}, interrupted)

    monkeypatch.setattr(optimise, "_coordinate", coordinate)
    monkeypatch.setattr(optimise, "announced", lambda run: nullcontext())  # asks Ray for its address
    pools = Pools("r", {name: name for name in config.models}, [], [], True, None)
    watcher = SimpleNamespace(say=lambda line: None)
    work = Work(config, config, scan, run, 0, Left.seeds)
    optimise.carry_out(work, "session", pools, watcher)  # type: ignore[arg-type]
    assert titles == used


@pytest.mark.parametrize(("finished", "stopped"), [(False, True), (True, False)])
def test_a_run_that_was_to_stop_in_its_last_seeds_is_not_called_stopped(
    finished: bool, stopped: bool
) -> None:
    assert optimise.Outcome({"run": {"finished": finished}}, interrupted=True).stopped is stopped
