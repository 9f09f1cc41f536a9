"""The lines about students in training."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from cluster.driver.student_progress import StudentProgress


def test_the_time_left_shrinks_while_a_student_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("cluster.driver.student_progress.time.monotonic", lambda: now[0])
    jobs: Any = [SimpleNamespace(cell=SimpleNamespace(arm="a", training_seed=0), steps=(1,))] * 4
    plan: Any = SimpleNamespace(jobs=jobs, work=lambda job: 5)
    result: Any = SimpleNamespace(final_loss=1.5, seconds=60.0, diverged=None)
    said: list[str] = []
    progress = StudentProgress(plan, jobs[1:], said.append)
    progress.tick(1, 1)
    now[0] += 60
    progress.finished(jobs[1], result)
    for _ in range(2):
        now[0] += 30
        progress.tick(1, 1)
    now[0] += 300
    progress.tick(0, 1)
    assert said == [
        "students 1/4 | 1 in training | ETA ...",
        "students 2/4 | a seed 0 in 60 s, training loss 1.500 | ETA 0:02:00",
        "students 2/4 | 1 in training | ETA 0:01:30",
        "students 2/4 | 1 in training | ETA 0:01:00",
        "students 2/4 | waiting for resources | ETA 0:00:00",
    ]


def test_a_student_that_diverged_is_one_line_with_the_reason() -> None:
    job: Any = SimpleNamespace(cell=SimpleNamespace(arm="a", training_seed=1), steps=(1,))
    plan: Any = SimpleNamespace(jobs=[job], work=lambda job: 5)
    result: Any = SimpleNamespace(final_loss=None, seconds=2.0, diverged="the loss of step 3 is nan")
    said: list[str] = []
    StudentProgress(plan, [job], said.append).finished(job, result)
    (line,) = said
    assert line.startswith("students 1/1 | a seed 1 in 2 s: the loss of step 3 is nan | ETA ")
