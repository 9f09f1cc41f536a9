"""Students trained as Ray tasks: the results of one process, despite deaths and kills."""

from __future__ import annotations

import threading
import time
from io import StringIO
from pathlib import Path

import psutil
import pytest
from ray.cluster_utils import Cluster
from rich.console import Console

from cluster.cli.evaluation_table import table
from cluster.driver.students import CELLS, Students
from staragents.config import EvaluationConfig
from staragents.evaluation.arms import Arms
from staragents.evaluation.build import evaluation_of
from staragents.evaluation.cell import CellResult
from staragents.evaluation.evaluation import HeldOutFacts
from staragents.evaluation.held_out import ANSWER
from staragents.evaluation.plan import Plan, plan_of
from staragents.evaluation.student import Student
from tests.support import planted_world

ARMS = [one for name, one in planted_world.arms().items() if name in ("real", "greek")]


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> str:
    return planted_world.save_student(tmp_path_factory.mktemp("student"))


def settings(**changes: float) -> EvaluationConfig:
    plain = {"tokens": 600, "step_tokens": 64, "max_length": 64, "training_seeds": 1, "learning_rate": 5e-3}
    return EvaluationConfig(num_cpus=1, **{**plain, **changes})  # type: ignore[arg-type]


def plan(student: str, folder: Path, config: EvaluationConfig) -> Plan:
    return plan_of(ARMS, planted_world.held_out(), Student(student, None, 64), config, folder)


def training(number: int) -> list[psutil.Process]:
    """Wait until so many processes train a student at once."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        found = []
        for process in psutil.Process().children(recursive=True):
            try:
                if "ray::train_cell" in " ".join(process.cmdline()):
                    found.append(process)
            except psutil.Error:
                continue
        if len(found) >= number:
            return found
        time.sleep(0.02)
    raise AssertionError(f"never trained {number} students at once")


def kill_a_task(killed: list[int]) -> None:
    process = training(1)[0]
    process.kill()
    killed.append(process.pid)


def test_results_are_those_of_one_process_even_if_a_worker_dies_and_are_kept(
    student: str, tmp_path: Path
) -> None:
    config, lines = settings(), []
    made = plan(student, tmp_path / ".training", config)
    killed: list[int] = []
    killer = threading.Thread(target=kill_a_task, args=(killed,))
    killer.start()
    results = Students(made, config, tmp_path, lines.append).results()
    killer.join()
    assert killed
    assert not (tmp_path / ".training").exists()
    assert [result.cell for result in results] == [job.cell for job in made.jobs]
    alone = [job.run(made.held_out) for job in made.jobs]
    for one, other in zip(results, alone, strict=True):
        assert one.losses.keys() == other.losses.keys()
        for name, by_writer in one.losses.items():
            for writer, loss in by_writer.items():
                assert loss.nats == pytest.approx(other.losses[name][writer].nats, rel=1e-3)
    assert any("students 3/3" in line for line in lines)

    # A second command trains nothing, and only what is missing or belongs to other work.
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / CELLS).iterdir()}
    assert len(files) == 3
    again = Students(made, config, tmp_path, lines.append).results()
    assert [one.losses for one in again] == [one.losses for one in results]
    assert files == {path: path.stat().st_mtime_ns for path in files}
    changed = plan(student, tmp_path / ".training", settings(learning_rate=1e-3))
    kept = [job.cell.arm for job in changed.jobs if Students(changed, config, tmp_path, print)._saved(job)]
    assert not kept


def printed(made: Plan, results: list[CellResult]) -> str:
    """The table that `staragents evaluate` shows."""
    evaluation = evaluation_of(
        Arms(tuple(ARMS), {}, frozenset(row.seed_id for row in ARMS[0].rows), ()),
        results,
        student="tiny",
        runs=[],
        settings={},
        held_out=HeldOutFacts("planted", "", len(made.held_out), [ANSWER]),
        answer_tokens=made.answer_tokens,
    )
    console = Console(file=StringIO(), width=150)
    console.print(table(evaluation))
    return str(console.file.getvalue())  # type: ignore[attr-defined]


def test_two_raylets_train_at_once_and_the_death_of_one_changes_neither_losses_nor_table(
    student: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = settings(training_seeds=2)
    made = plan(student, tmp_path / ".training", config)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    killed: list[int] = []
    try:
        node, _ = (cluster.add_node(num_cpus=1) for _ in range(2))

        def kill_a_node() -> None:
            killed.extend(process.pid for process in training(2))
            cluster.remove_node(node, allow_graceful=False)

        killer = threading.Thread(target=kill_a_node)
        killer.start()
        monkeypatch.setenv("RAY_ADDRESS", cluster.address)
        results = Students(made, config, tmp_path, print).results()
        killer.join()
    finally:
        cluster.shutdown()
    assert len(killed) == 2
    alone = [job.run(made.held_out) for job in made.jobs]
    for one, other in zip(results, alone, strict=True):
        assert one.cell == other.cell
        for name, by_writer in one.losses.items():
            assert by_writer[ANSWER].nats == pytest.approx(other.losses[name][ANSWER].nats, rel=1e-3)
    shown = printed(made, results)
    assert shown == printed(made, alone)
    assert [line.split()[0] for line in shown.splitlines()] == ["arm", "untrained", "real", "greek"]


def test_students_that_diverge_stop_no_other_and_are_kept(student: str, tmp_path: Path) -> None:
    config = settings(learning_rate=1e30)
    made = plan(student, tmp_path / ".training", config)
    untrained, *trained = Students(made, config, tmp_path, print).results()
    assert untrained.losses
    assert [bool(one.diverged) for one in trained] == [True, True]
    lines: list[str] = []
    assert Students(made, config, tmp_path, lines.append).results() == [untrained, *trained]
    assert lines == []
