"""Trains the students of an evaluation, each in a Ray task of its own."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError

from actors.clean_up import quietly
from actors.reasons import own_cause, reason_of
from actors.student_cell import cell_environment, train_cell
from cluster.session.demand import Demand, PoolDemand
from cluster.session.ray_session import ray_session
from cluster.terminal.stop_signals import restore_sigterm
from staragents.base.errors import RunFailed
from staragents.config import EvaluationConfig
from staragents.evaluation.cell import Cell, CellResult
from staragents.evaluation.cell_job import CellJob
from staragents.evaluation.plan import Plan, cell_name
from staragents.evaluation.saved_cell import SavedCell
from staragents.evaluation.training_memory import training_bytes
from staragents.files.atomic_file import write_text
from staragents.text.clock import clock

CELLS = "cells"
CHECKPOINTS = ".training"
ATTEMPTS = 4
"""Of a cell whose process or node dies."""
LINE_EVERY_S = 30.0


class Students:
    """The cells of a plan in a folder, which the caller has locked. Finished ones are kept and read again."""

    def __init__(
        self, plan: Plan, settings: EvaluationConfig, folder: Path, say: Callable[[str], None]
    ) -> None:
        self._plan = plan
        self._settings = settings
        self._folder = folder
        self._say = say
        self.fingerprints = {job.cell: job.fingerprint(plan.held_out) for job in plan.jobs}
        """Of each cell, of everything that determines the student and its losses."""
        self._done: dict[Cell, SavedCell] = {}

    def results(self) -> list[CellResult]:
        """One result per job of the plan, in order, trained now unless its file is there.

        Raises BadInput for a student that does not fit or does not learn, RunFailed if Ray fails; finished
        cells stay, also after Ctrl-C.
        """
        if todo := self._todo():
            (self._folder / CELLS).mkdir(exist_ok=True)
            # Ray prints a worker's death to standard output, which may carry JSON.
            with redirect_stdout(sys.stderr), ray_session(self._demand()):
                restore_sigterm()
                self._train(todo)
        shutil.rmtree(self._folder / CHECKPOINTS, ignore_errors=True)
        return [self._done[job.cell].result_of(job) for job in self._plan.jobs]

    def _todo(self) -> list[CellJob]:
        """What is left of all jobs."""
        jobs = self._plan.jobs
        self._done = {job.cell: saved for job in jobs if (saved := self._saved(job)) is not None}
        todo, again = [], 0
        for job in jobs:
            saved = self._done.get(job.cell)
            left = job if saved is None else saved.missing(job)
            if left is not None:
                todo.append(left)
                again += saved is not None
        if todo and len(todo) < len(jobs):
            self._say(f"{len(jobs) - len(todo)} of {len(jobs)} students are already done; resuming")
        if again:
            self._say(
                f"{again} students are trained again for answers or scores that were not asked for before: "
                "weights are not kept"
            )
        return todo

    def _train(self, todo: list[CellJob]) -> None:
        """Run all cells that are not done, as many at once as fit."""
        task: Any = ray.remote(train_cell).options(
            num_cpus=self._settings.num_cpus,
            num_gpus=self._settings.num_gpus,
            max_retries=ATTEMPTS - 1,
            runtime_env={"env_vars": cell_environment(self._settings)},
        )
        held_out = ray.put(self._plan.held_out)
        running = {task.remote(job, held_out): job for job in todo}
        progress = _Progress(self._plan, todo, self._say)
        try:
            while running:
                done, _ = ray.wait(list(running), timeout=0.5)
                for one in done:
                    job = running.pop(one)
                    result = _result(one, job)
                    self._save(job, result)
                    progress.finished(job, result)
                progress.tick()
        finally:
            for one in running:
                quietly(ray.cancel, one)

    def _path(self, job: CellJob) -> Path:
        return self._folder / CELLS / f"{cell_name(job.cell)}.json"

    def _saved(self, job: CellJob) -> SavedCell | None:
        """The file in the folder, if it belongs to this student."""
        try:
            saved = SavedCell.from_json(self._path(job).read_text(encoding="utf-8"))
            return saved if saved.identity == self.fingerprints[job.cell] else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _save(self, job: CellJob, result: CellResult) -> None:
        before = self._done.get(job.cell)
        saved = SavedCell(self.fingerprints[job.cell], result, job.parts())
        self._done[job.cell] = saved = saved if before is None else before.with_more(job, result)
        try:
            write_text(self._path(job), saved.to_json())
        except OSError as error:
            raise RunFailed(f"--output: can't write {self._path(job)}: {error.strerror}") from error

    def _demand(self) -> Demand:
        settings, job = self._settings, self._plan.jobs[0]
        need = training_bytes(job.path, settings, settings.num_gpus > 0)
        pool = PoolDemand("student", "evaluation", 1, 1, settings.num_cpus, settings.num_gpus, need)
        return Demand((pool,))


def _result(done: Any, job: CellJob) -> CellResult:
    try:
        result: CellResult = ray.get(done)
        return result
    except RayError as error:
        if (cause := own_cause(error)) is not None:
            raise cause from None
        cell = job.cell
        raise RunFailed(f"arm {cell.arm}, training seed {cell.training_seed}: {reason_of(error)}") from error


class _Progress:
    """A line after each student, with the time left at the rate of the finished ones."""

    def __init__(self, plan: Plan, todo: list[CellJob], say: Callable[[str], None]) -> None:
        self._plan = plan
        self._say = say
        self._begun = self._shown = time.monotonic()
        self._total = len(plan.jobs)
        self._done = self._total - len(todo)
        self._work = sum(map(plan.work, todo))
        self._worked = 0

    def finished(self, job: CellJob, result: CellResult) -> None:
        self._done += 1
        self._worked += self._plan.work(job)
        loss = "" if result.final_loss is None else f", training loss {result.final_loss:.3f}"
        seed = f" seed {job.cell.training_seed}" if job.steps else ""
        self._line(f"{job.cell.arm}{seed} in {result.seconds:.0f} s{loss}")

    def tick(self) -> None:
        if time.monotonic() - self._shown >= LINE_EVERY_S:
            self._line("training")

    def _line(self, what: str) -> None:
        self._shown = time.monotonic()
        passed = self._shown - self._begun
        eta = "..."
        if self._worked:
            left = max(0, int(passed * (self._work / self._worked) - passed))
            eta = clock(left)
        self._say(f"students {self._done}/{self._total} | {what} | ETA {eta}")
