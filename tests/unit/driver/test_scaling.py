"""What the driver's thread does when a request or the look at the load fails. Ray's calls are fakes."""

from __future__ import annotations

import logging
import queue
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ray.exceptions import RayTaskError

from actors.request_queue import Answer, ChangeRequest, Request, ScaleRequest
from actors.seed_worker_actor import Pools
from cluster.driver import scaling
from cluster.driver.live_config import LiveConfig
from cluster.driver.scaling import Scaling
from staragents.base.errors import RunFailed
from staragents.run_directory.run_directory import RunDirectory
from staragents.validation.loading import load_config
from tests.support.paths import FAKE
from tests.support.tracebacks import traced


class FakeCoordinator:
    """Takes one call at a time, as `call.remote(...)`; the handle of a call is its name."""

    def __init__(self) -> None:
        self.asked: queue.Queue[Request] = queue.Queue()
        self.answers: queue.Queue[Answer] = queue.Queue()
        self.calls: queue.Queue[str] = queue.Queue()
        """The calls that carry out a change, in order."""
        self.config: Any = None
        """The config that is saved for the next coordinator."""

    def __getattr__(self, name: str) -> Any:
        return SimpleNamespace(remote=lambda *arguments: self._call(name, *arguments))

    def _call(self, name: str, *arguments: Any) -> str:
        if name == "answer":
            self.answers.put(arguments[1])
        if name in ("change_config", "answer", "drain"):
            self.calls.put(name)
        if name == "change_config":
            (self.config,) = arguments
        return name

    def wait(self, calls: list[str], timeout: float) -> tuple[list[str], list[str]]:
        time.sleep(0.01)
        return (calls, []) if not self.asked.empty() else ([], calls)

    def get(self, call: str) -> Any:
        if call == "next_request":
            return "7", self.asked.get()
        if call == "change_config" and self.config.run.patience == 13:
            full = RunFailed("output.dir: no space left")
            raise RayTaskError(call, traced(full), full).as_instanceof_cause()  # as ray.get does
        if call == "change_config":
            self.calls.put("saved")
            return None
        raise KeyError("no such scorer")


@pytest.fixture
def coordinator(monkeypatch: pytest.MonkeyPatch) -> FakeCoordinator:
    fake = FakeCoordinator()
    monkeypatch.setattr(scaling, "ray", SimpleNamespace(wait=fake.wait, get=fake.get))
    monkeypatch.setattr(scaling, "LOAD_EVERY_S", 0.0)
    return fake


def test_whatever_fails_the_next_request_is_answered(
    coordinator: FakeCoordinator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = load_config(
        str(FAKE),
        [f"output.dir={tmp_path / 'run'}", "scoring.target.max_replicas=3"],
    )
    pools = Pools("r", {}, ["a"], ["b"], True, None)
    live = LiveConfig(config, pools, RunDirectory(config.output.dir))
    caplog.set_level(logging.WARNING)
    with Scaling(live, lambda line: None) as attending:
        attending.attend(coordinator)
        deadline = time.monotonic() + 30
        while "not resized by load" not in caplog.text and time.monotonic() < deadline:
            time.sleep(0.01)
        assert "scorers are not resized by load" in caplog.text
        # The pool `writer` has no app here, and the coordinator fails to add or remove scorers.
        for pool in ("scoring.target", "models.writer"):
            coordinator.asked.put(ScaleRequest(pool, 0, 0))
            assert coordinator.answers.get(timeout=30) == Answer(("KeyError: 'no such scorer'",), 1)


def test_a_change_is_saved_before_it_is_confirmed(coordinator: FakeCoordinator, tmp_path: Path) -> None:
    config = load_config(FAKE, [f"output.dir={tmp_path / 'run'}"])
    live = LiveConfig(config, Pools("r", {}, [], [], True, None), RunDirectory(config.output.dir))
    with Scaling(live, lambda line: None) as attending:
        attending.attend(coordinator)
        coordinator.asked.put(ChangeRequest(("run.max_tokens=5000",)))
        calls = [coordinator.calls.get(timeout=30) for _ in range(4)]
        assert calls == ["change_config", "saved", "answer", "drain"]
        assert coordinator.answers.get() == Answer(("run.max_tokens",))
        assert coordinator.config == live.config
        # A change that can't be saved is not confirmed; the driver has it, so the run drains all the same.
        coordinator.asked.put(ChangeRequest(("run.patience=13",)))
        assert [coordinator.calls.get(timeout=30) for _ in range(3)] == ["change_config", "answer", "drain"]
        assert coordinator.answers.get() == Answer(("output.dir: no space left",), 1)


def test_a_change_that_ends_between_two_coordinators_reaches_the_second(
    coordinator: FakeCoordinator, tmp_path: Path
) -> None:
    config = load_config(FAKE, [f"output.dir={tmp_path / 'run'}"])
    live = LiveConfig(config, Pools("r", {}, [], [], True, None), RunDirectory(config.output.dir))
    with Scaling(live, lambda line: None) as attending:
        attending.attend(coordinator)
        assert coordinator.calls.empty()
        live.change(("run.max_tokens=5000",))
        attending.attend(coordinator)
        assert [coordinator.calls.get(timeout=5) for _ in range(2)] == ["change_config", "drain"]
        assert coordinator.config == live.config
