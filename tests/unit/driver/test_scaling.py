"""What the driver's thread does when a request or the look at the load fails. Ray's calls are fakes."""

from __future__ import annotations

import logging
import queue
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ray.exceptions import RayError, RayTaskError

from actors import starting
from actors.request_queue import Answer, ChangeRequest, Request, ScaleRequest
from actors.seed_worker_actor import Pools
from cluster.driver import running_scorers, scaling
from cluster.driver.live_config import LiveConfig
from cluster.driver.scaling import Scaling
from cluster.pools import generators, scorer_load
from cluster.session import capacity
from cluster.session.capacity import Capacity, Node
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
        self.loaded: set[str] = set()
        """Scorers whose model is loaded."""
        self.broken: set[str] = set()
        """Scorers whose model fails to load."""
        self.outstanding: dict[str, int] | None = None
        """The load of the scorers; None if the call fails."""
        self.killed: list[str] = []
        self.answering = False
        """Whether calls about sizes and scorers succeed."""
        self.scorers: list[str] = []
        """Names of the scorers that it uses."""

    def __getattr__(self, name: str) -> Any:
        return SimpleNamespace(remote=lambda *arguments: self._call(name, *arguments))

    def _call(self, name: str, *arguments: Any) -> str:
        if name == "answer":
            self.answers.put(arguments[1])
        if name in ("change_config", "answer", "drain"):
            self.calls.put(name)
        if name == "change_config":
            (self.config,) = arguments
        if name == "add_scorer":
            self.scorers.append(arguments[1])
        if name == "remove_scorer" and arguments[1] in self.scorers:
            self.scorers.remove(arguments[1])
            return "removed"
        return name

    def wait(self, calls: list[str], timeout: float) -> tuple[list[str], list[str]]:
        if calls[0].startswith("scorer-"):
            return (calls, []) if calls[0] in self.loaded | self.broken else ([], calls)
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
        if call == "load" and self.outstanding is not None:
            return self.outstanding
        if call in self.broken:
            raise RayError("its GPU is gone")
        if call in ("removed", *self.loaded) or (self.answering and call in ("resized", "add_scorer")):
            return None
        raise KeyError("no such scorer")


@pytest.fixture
def coordinator(monkeypatch: pytest.MonkeyPatch) -> FakeCoordinator:
    fake = FakeCoordinator()

    def get(calls: Any) -> Any:
        return [fake.get(call) for call in calls] if isinstance(calls, list) else fake.get(calls)

    calls = SimpleNamespace(
        wait=fake.wait,
        get=get,
        kill=lambda actor: fake.killed.append(actor.name),
        get_actor=lambda name: SimpleNamespace(name=name),
    )
    for module in (scaling, running_scorers, starting):
        monkeypatch.setattr(module, "ray", calls)
    monkeypatch.setattr(scaling, "LOAD_EVERY_S", 0.0)
    monkeypatch.setattr(
        running_scorers,
        "start_scorer",
        lambda scoring, role, name: SimpleNamespace(name=name, start=SimpleNamespace(remote=lambda: name)),
    )
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


def until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not reached() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert reached()


@pytest.fixture
def scorers(coordinator: FakeCoordinator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LiveConfig:
    """A run with a scorer for the target, or up to four, one on each of four GPUs."""
    coordinator.answering, coordinator.outstanding = True, {}
    monkeypatch.setattr(scorer_load, "UP_AFTER_S", 0.0)
    sizes = ("scoring.target.num_gpus=1", "scoring.target.max_replicas=4")
    config = load_config(str(FAKE), [f"output.dir={tmp_path / 'run'}", *sizes])
    pools = Pools("r", {"writer": "app"}, [name(0)], ["b"], True, None)
    four_gpus(monkeypatch, free=3)
    return LiveConfig(config, pools, RunDirectory(config.output.dir))


def four_gpus(monkeypatch: pytest.MonkeyPatch, free: float) -> None:
    monkeypatch.setattr(capacity, "of_the_cluster", lambda: Capacity("the cluster", (Node(8.0, 4.0),)))
    for call, gpus in (("cluster_resources", 4.0), ("available_resources", free)):
        monkeypatch.setattr(f"ray.{call}", lambda gpus=gpus: {"CPU": 8.0, "GPU": gpus})


def name(number: int) -> str:
    return f"scorer-target-{number}-r"


def test_requests_are_answered_while_a_scorer_waits_for_a_node(
    coordinator: FakeCoordinator, scorers: LiveConfig
) -> None:
    said: list[str] = []
    with Scaling(scorers, said.append) as attending:
        attending.attend(coordinator)
        coordinator.outstanding = {"target": 10**9}
        until(lambda: attending._scorers.are_starting("target"))
        coordinator.asked.put(ChangeRequest(("run.max_tokens=5000",)))
        assert coordinator.answers.get(timeout=5) == Answer(("run.max_tokens",))
        # More than doubling is only asked for once those that start are there.
        assert attending._scorers.size("target") == 2
        assert "by load" not in "".join(said)
        coordinator.outstanding = {}
        coordinator.loaded.add(name(1))
        until(lambda: "scoring.target now has 2 replicas, by load" in said)
        assert coordinator.scorers[-1] == name(1)


def test_a_scorer_that_is_starting_is_stopped_if_fewer_are_wanted(
    coordinator: FakeCoordinator, scorers: LiveConfig
) -> None:
    with Scaling(scorers, lambda line: None) as attending:
        attending.attend(coordinator)
        coordinator.asked.put(ScaleRequest("scoring.target", 3, 3))
        until(lambda: attending._scorers.size("target") == 3)
        assert coordinator.answers.empty()
        coordinator.asked.put(ScaleRequest("scoring.target", 1, 1))
        (line,) = coordinator.answers.get(timeout=5).lines
        assert line == "scoring.target: another size was asked for before this one was reached"
        assert coordinator.answers.get(timeout=5) == Answer()
        assert set(coordinator.killed) == {name(1), name(2)}
        assert attending._scorers.loaded["target"] == [name(0)]


def test_a_request_for_scorers_is_answered_when_they_are_loaded(
    coordinator: FakeCoordinator, scorers: LiveConfig
) -> None:
    said: list[str] = []
    with Scaling(scorers, said.append) as attending:
        attending.attend(coordinator)
        coordinator.asked.put(ScaleRequest("scoring.target", 2, 4))
        until(lambda: attending._scorers.size("target") == 2)
        assert coordinator.answers.empty()
        coordinator.loaded.add(name(1))
        assert coordinator.answers.get(timeout=5) == Answer()
        assert coordinator.scorers[-1] == name(1)
        assert said == ["scoring.target now has 2 to 4 replicas, after 0 s"]


def test_a_scorer_that_fails_to_start_leaves_the_pool_as_it_was(
    coordinator: FakeCoordinator, scorers: LiveConfig
) -> None:
    with Scaling(scorers, lambda line: None) as attending:
        attending.attend(coordinator)
        coordinator.asked.put(ScaleRequest("scoring.target", 3, 3))
        until(lambda: attending._scorers.size("target") == 3)
        coordinator.broken.add(name(1))
        answer = coordinator.answers.get(timeout=5)
        assert answer.exit_code == 1
        assert answer.lines == ("scoring.target: another scorer did not start: its GPU is gone",)
        assert set(coordinator.killed) == {name(1), name(2)}
        assert attending._sizes["scoring.target"] == (1, 4)


def test_a_scorer_never_gets_the_name_of_another_one(
    coordinator: FakeCoordinator, scorers: LiveConfig
) -> None:
    """A new coordinator and its workers look for the names that the run began with."""
    scorers.pools.target.append(name(1))
    coordinator.scorers += scorers.pools.target
    with Scaling(scorers, lambda line: None) as attending:
        attending.attend(coordinator)
        for size in (1, 2, 1, 2):
            coordinator.asked.put(ScaleRequest("scoring.target", size, size))
            until(lambda size=size: attending._scorers.size("target") == size)  # type: ignore[misc]
        assert set(attending._scorers._starting["target"]).isdisjoint(scorers.pools.target)
        until(lambda: coordinator.killed == [name(1), name(2)])
        assert list(attending._scorers._starting["target"]) == [name(3)]


@pytest.mark.parametrize("low", [2, 4])
def test_sizes_that_are_already_there_need_no_room(
    coordinator: FakeCoordinator, scorers: LiveConfig, monkeypatch: pytest.MonkeyPatch, low: int
) -> None:
    scorers.pools.target.extend([name(1), name(2), name(3)])
    four_gpus(monkeypatch, free=0)
    with Scaling(scorers, lambda line: None) as attending:
        attending.attend(coordinator)
        coordinator.asked.put(ScaleRequest("scoring.target", low, 4))
        assert coordinator.answers.get(timeout=5) == Answer()
        coordinator.asked.put(ScaleRequest("scoring.target", 5, 5))
        assert (
            coordinator.answers.get(timeout=5).lines[0].startswith("scoring.target: 1 more replicas need 1 x")
        )


def test_a_paused_model_whose_replica_still_ends_needs_no_other_room(
    coordinator: FakeCoordinator, scorers: LiveConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    four_gpus(monkeypatch, free=0)
    scorers.config.models["writer"].num_gpus = 1
    states = {"RUNNING": 0, "STARTING": 0, "STOPPING": 1}
    deployed = SimpleNamespace(deployments={"writer": SimpleNamespace(replica_states=states)})
    served = SimpleNamespace(status=lambda: SimpleNamespace(applications={"app": deployed}))
    monkeypatch.setattr(generators, "serve", served)
    resized: list[tuple[int, int]] = []
    monkeypatch.setattr(scaling, "resize_generator", lambda *given: resized.append(given[3:5]))
    with Scaling(scorers, lambda line: None) as attending:
        attending.attend(coordinator)
        coordinator.asked.put(ScaleRequest("models.writer", 1, 1))
        assert coordinator.answers.get(timeout=5) == Answer()
        coordinator.asked.put(ScaleRequest("models.writer", 2, 2))
        assert "0 of 4 in the cluster are free" in coordinator.answers.get(timeout=5).lines[0]
    assert resized == [(1, 1)]
