"""Students as tasks of a cluster, with a fake Ray in this process."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from itertools import count, pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ray.exceptions import (
    OutOfMemoryError,
    RayError,
    RayTaskError,
    RuntimeEnvSetupError,
    TaskUnschedulableError,
    UnserializableException,
)

from cluster.driver import student_progress, student_room, student_tasks
from cluster.driver.student_progress import StudentProgress
from cluster.driver.student_room import AHEAD, StudentRoom
from cluster.driver.student_tasks import DELAYS_S, StudentTasks
from cluster.session.capacity import Capacity, Node
from staragents.base.errors import BadInput, RunFailed, TemporaryFailure
from staragents.config import EvaluationConfig, Template
from staragents.evaluation.cell import Cell, CellResult
from staragents.evaluation.cell_job import CellJob

GIB = 2**30


def job(arm: str) -> CellJob:
    return CellJob(Cell(arm, 0), "m", "id", Template.plain, (), 0, EvaluationConfig(), Path("work"))


def result(arm: str) -> CellResult:
    return CellResult(Cell(arm, 0), {}, 1, 1, 1, 1.0, 1.0)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """`turns`: waits until it ends; `begins`: whether it gets a place before."""

    value: CellResult | RayError | None = None
    turns: int = 1
    begins: bool = True


@dataclasses.dataclass(eq=False)
class Running:
    job: CellJob
    note: str
    outcome: Outcome
    turns: int


class FakeRay:
    """Tasks end after a number of waits; time passes by `turn_s` in each."""

    def __init__(self, outcomes: dict[str, list[Outcome]], turn_s: float = 0.0) -> None:
        self.outcomes = outcomes
        self.turn_s = turn_s
        self.max_calls: int | None = None
        self.now = 0.0
        self.submitted: list[str] = []
        self.times: list[float] = []
        self.most_waiting = 0
        self.cancelled: list[str] = []
        self.running: list[Running] = []

    def put(self, value: object) -> object:
        return value

    def remote(self, max_calls: int) -> Any:
        self.max_calls = max_calls
        return lambda _: SimpleNamespace(options=lambda **_: SimpleNamespace(remote=self._submit))

    def _submit(self, job: CellJob, held_out: object, note: str) -> Running:
        outcome = self.outcomes[job.cell.arm].pop(0)
        self.submitted.append(job.cell.arm)
        self.times.append(self.now)
        self.running.append(Running(job, note, outcome, outcome.turns))
        return self.running[-1]

    def wait(self, handles: list[Running], timeout: float) -> tuple[list[Running], list[Running]]:
        assert handles
        self.now += self.turn_s
        self.most_waiting = max(self.most_waiting, len(handles))
        for one in handles:
            one.turns -= 1
        return [one for one in handles if one.turns <= 0][:1], []

    def get(self, handle: Running) -> CellResult:
        if isinstance(handle.outcome.value, Exception):
            raise handle.outcome.value
        if handle.outcome.value is None:
            raise KeyboardInterrupt
        return handle.outcome.value

    def cancel(self, handle: Running) -> None:
        self.cancelled.append(handle.job.cell.arm)

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def notes(self) -> Any:
        """In place of `StudentNotes`."""
        numbers = count()
        return SimpleNamespace(
            new=lambda: str(next(numbers)),
            left=lambda: {one.note for one in self.running if one.outcome.begins},
            remove=lambda: None,
        )


@pytest.fixture
def train(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Train an arm for each of the outcomes."""

    def trained(
        fake: FakeRay,
        saved: list[str],
        lines: list[str],
        places: int = 2,
        save: Any = None,
        num_gpus: float = 0.0,
    ) -> None:
        monkeypatch.setattr(student_tasks, "ray", fake)
        monkeypatch.setattr(student_tasks, "StudentNotes", fake.notes)
        clock = SimpleNamespace(monotonic=lambda: fake.now, sleep=fake.sleep)
        monkeypatch.setattr(student_tasks, "time", clock)
        monkeypatch.setattr(student_progress, "time", clock)
        room: Any = SimpleNamespace(
            options=lambda: {}, places=lambda: places, shortage=lambda: "each needs a GPU"
        )
        jobs = [job(arm) for arm in fake.outcomes]
        plan: Any = SimpleNamespace(jobs=jobs, work=lambda one: 1)
        progress = StudentProgress(plan, jobs, lines.append)
        tasks = StudentTasks((), EvaluationConfig(num_gpus=num_gpus), room, progress, lines.append)
        tasks.run(jobs, save or (lambda one, _: saved.append(one.cell.arm)))

    return trained


def failed(error: Exception) -> RayTaskError:
    return RayTaskError("train_cell", "traceback", error)


def test_results_are_saved_and_no_more_are_submitted_than_may_find_a_place(train: Any) -> None:
    fake = FakeRay({arm: [Outcome(result(arm))] for arm in "abcdefg"})
    saved: list[str] = []
    train(fake, saved, [])
    assert saved == list("abcdefg")
    assert fake.most_waiting == 2


@pytest.mark.parametrize(("num_gpus", "max_calls"), [(0.0, 0), (0.5, 1), (1.0, 1)])
def test_the_process_of_a_student_on_a_gpu_ends_with_it(train: Any, num_gpus: float, max_calls: int) -> None:
    """Otherwise it keeps memory of the GPU that the next student does not find."""
    fake = FakeRay({"a": [Outcome(result("a"))]})
    train(fake, [], [], num_gpus=num_gpus)
    assert fake.max_calls == max_calls


def test_after_a_failure_what_runs_is_saved_and_nothing_more_begins(train: Any) -> None:
    fake = FakeRay(
        {
            "a": [Outcome(failed(BadInput("arm a: no")))],
            "b": [Outcome(result("b"), turns=5)],
            "c": [Outcome(result("c"), turns=9, begins=False)],
            "d": [Outcome(result("d"))],
        }
    )
    saved: list[str] = []
    lines: list[str] = []
    with pytest.raises(BadInput, match=r"^arm a: no$"):
        train(fake, saved, lines, places=3)
    assert saved == ["b"]
    assert fake.submitted == ["a", "b", "c"]
    assert fake.cancelled == ["c"]
    assert lines[0] == "arm a: no; waiting for students in training: 1"


def test_a_result_that_cannot_be_written_does_not_lose_the_others(train: Any) -> None:
    fake = FakeRay({"a": [Outcome(result("a"))], "b": [Outcome(result("b"), turns=5)], "c": []})
    saved: list[str] = []

    def save(one: CellJob, _: CellResult) -> None:
        if one.cell.arm == "a":
            raise RunFailed("--output: can't write")
        saved.append(one.cell.arm)

    with pytest.raises(RunFailed, match="can't write"):
        train(fake, saved, [], save=save)
    assert saved == ["b"]


def test_ctrl_c_stops_all_at_once(train: Any) -> None:
    fake = FakeRay({"a": [Outcome(None)], "b": [Outcome(result("b"), turns=5)]})
    with pytest.raises(KeyboardInterrupt):
        train(fake, [], [])
    assert fake.cancelled == ["b"]


BUSY = "can't load the model m: the hub said 429"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OutOfMemoryError("killed"), r"^arm a, training seed 0: killed"),
        (failed(TemporaryFailure(BUSY)), rf"^{BUSY}$"),
    ],
)
def test_a_student_whose_process_dies_or_whose_hub_is_busy_is_tried_again_after_a_while(
    train: Any, error: RayError, said: str
) -> None:
    fails = Outcome(error)
    fake = FakeRay({"a": [fails, fails, fails, Outcome(result("a"), turns=9, begins=False)]}, turn_s=4)
    saved: list[str] = []
    lines: list[str] = []
    train(fake, saved, lines)
    assert saved == ["a"]
    again = [line for line in lines if "trying again" in line]
    assert again[2].endswith("; trying again in 300 s, 3 of 3")
    waited = [later - earlier for earlier, later in pairwise(fake.times)]
    assert all(delay <= one <= delay + 5 for delay, one in zip(DELAYS_S, waited, strict=True))
    assert any("waiting for the next attempt" in line for line in lines)
    assert not any("no student runs" in line for line in lines)

    fake = FakeRay({"a": [fails] * 5})
    with pytest.raises(RunFailed, match=said):
        train(fake, [], [])
    assert len(fake.submitted) == 4


def test_other_students_begin_before_the_next_attempt(train: Any) -> None:
    fake = FakeRay(
        {
            "a": [Outcome(OutOfMemoryError("killed")), Outcome(result("a"))],
            "b": [Outcome(result("b"), turns=2)],
            "c": [Outcome(result("c"))],
        },
        turn_s=4,
    )
    saved: list[str] = []
    train(fake, saved, [], places=1)
    assert fake.submitted == ["a", "b", "a", "c"]
    assert saved == ["b", "a", "c"]


@pytest.mark.parametrize(
    "error",
    [
        failed(ValueError("odd")),
        RuntimeEnvSetupError("odd"),
        TaskUnschedulableError("odd"),
        UnserializableException("Traceback (most recent call last):\nValueError: odd"),
    ],
)
def test_an_error_that_would_come_again_is_not_tried_again(train: Any, error: RayError) -> None:
    fake = FakeRay({"a": [Outcome(error)] * 2})
    with pytest.raises(RunFailed, match=r"^arm a, training seed 0: "):
        train(fake, [], [])
    assert fake.submitted == ["a"]


@pytest.mark.parametrize("begins", [False, True])
def test_a_stall_says_what_is_missing(train: Any, begins: bool) -> None:
    fake = FakeRay({"a": [Outcome(result("a"), turns=20, begins=begins)]}, turn_s=40)
    lines: list[str] = []
    train(fake, [], lines)
    said = [line for line in lines if line.startswith("no student runs for 5 min: 1 wait; each needs a GPU")]
    assert len(said) == (0 if begins else 2)
    assert ("1 in training" if begins else "waiting for resources") in lines[0]


def test_students_that_take_seconds_are_no_stall(train: Any) -> None:
    short = {f"short {number}": [Outcome(result("short"))] for number in range(20)}
    fake = FakeRay({**short, "last": [Outcome(result("last"), turns=4, begins=False)]}, turn_s=20)
    lines: list[str] = []
    train(fake, [], lines)
    assert any("waiting for resources" in line for line in lines)
    assert not any("no student runs" in line for line in lines)


# -- room ----------------------------------------------------------------------------------------------


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Callable[[Sequence[dict[str, float]]], None]:
    def made(nodes: Sequence[dict[str, float]]) -> None:
        there = Capacity("the cluster", tuple(Node(n["CPU"], n.get("GPU", 0), resources=n) for n in nodes))
        fake = SimpleNamespace(
            nodes=lambda: [{"Alive": True, "Resources": one} for one in nodes],
            available_resources=lambda: {"CPU": 1.0, "memory": 3.0 * GIB},
        )
        monkeypatch.setattr(student_room, "of_the_cluster", lambda: there)
        monkeypatch.setattr(student_room, "ray", fake)

    return made


@pytest.fixture
def needing(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    def made(size: int) -> None:
        monkeypatch.setattr(student_room, "training_bytes", lambda *_: size)
        monkeypatch.setattr(student_room, "reserved_bytes", lambda *_: size)

    return made


def test_students_reserve_memory_so_that_no_more_run_than_fit(cluster: Any, needing: Any) -> None:
    needing(5 * GIB)
    cluster([{"CPU": 16, "memory": 14 * GIB}, {"CPU": 2, "memory": 14 * GIB}, {"CPU": 1, "memory": 90 * GIB}])
    room = StudentRoom("m", EvaluationConfig(num_cpus=2))
    assert room.options() == {"num_cpus": 2, "num_gpus": 0, "memory": 5 * GIB}
    assert room.places() == AHEAD + 2 + 1
    assert room.shortage() == (
        "each needs 2 CPUs, 0 GPUs, 5.0 GiB on one node; nodes: 1 x 16 CPUs, 0 GPUs, 14.0 GiB; 1 x 2 CPUs, "
        "0 GPUs, 14.0 GiB; 1 x 1 CPUs, 0 GPUs, 90.0 GiB; free in all: 1 CPUs, 0 GPUs, 3.0 GiB"
    )


def test_an_estimate_above_every_node_reserves_most_of_a_node(cluster: Any, needing: Any) -> None:
    needing(50 * GIB)
    cluster([{"CPU": 16, "memory": 14 * GIB}, {"CPU": 2, "memory": 30 * GIB}])
    assert StudentRoom("m", EvaluationConfig(num_cpus=2)).options()["memory"] == 27 * GIB


def test_on_gpus_no_memory_of_the_host_is_reserved(cluster: Any, needing: Any) -> None:
    needing(5 * GIB)
    cluster([{"CPU": 16, "GPU": 2, "memory": 14 * GIB}])
    room = StudentRoom("m", EvaluationConfig(num_gpus=0.5))
    assert room.options() == {"num_cpus": 2, "num_gpus": 0.5, "memory": None}
    assert room.places() == AHEAD + 4
