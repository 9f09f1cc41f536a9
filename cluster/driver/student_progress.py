"""The lines that `evaluate` prints while students train."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from staragents.evaluation.cell import CellResult
from staragents.evaluation.cell_job import CellJob
from staragents.evaluation.plan import Plan
from staragents.text.clock import clock

LINE_EVERY_S = 30.0


class StudentProgress:
    """A line after each student, with the time left at the rate of the finished ones."""

    def __init__(self, plan: Plan, todo: Sequence[CellJob], say: Callable[[str], None]) -> None:
        self._plan = plan
        self._say = say
        self._begun = self._shown = time.monotonic()
        self._total = len(plan.jobs)
        self._done = self._total - len(todo)
        self._work = sum(map(plan.work, todo))
        self._worked = 0
        self._worked_s = 0.0
        """Seconds from the beginning to the end of the last finished student."""

    def finished(self, job: CellJob, result: CellResult) -> None:
        self._done += 1
        self._worked += self._plan.work(job)
        self._worked_s = time.monotonic() - self._begun
        loss = "" if result.final_loss is None else f", training loss {result.final_loss:.3f}"
        loss = f": {result.diverged}" if result.diverged else loss
        seed = f" seed {job.cell.training_seed}" if job.steps else ""
        self._line(f"{job.cell.arm}{seed} in {result.seconds:.0f} s{loss}")

    @property
    def is_due(self) -> bool:
        """Whether no line was printed for a while."""
        return time.monotonic() - self._shown >= LINE_EVERY_S

    def tick(self, running: int, submitted: int) -> None:
        """`running`: students that train now; `submitted`: those and the ones that wait for a place."""
        waits = "waiting for resources" if submitted else "waiting for the next attempt"
        self._line(f"{running} in training" if running else waits)

    def _line(self, what: str) -> None:
        self._shown = time.monotonic()
        eta = "..."
        if self._worked:
            whole = self._worked_s * self._work / self._worked
            eta = clock(max(0, int(whole - (self._shown - self._begun))))
        self._say(f"students {self._done}/{self._total} | {what} | ETA {eta}")
