"""The students of an evaluation: those that are saved, and the others, trained on Ray."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

from cluster.driver.student_progress import StudentProgress
from cluster.driver.student_room import StudentRoom
from cluster.driver.student_tasks import StudentTasks
from cluster.session.ray_session import ray_session
from cluster.terminal.stop_signals import restore_sigterm
from staragents.base.environment import ray_address
from staragents.base.errors import RunFailed
from staragents.config import EvaluationConfig
from staragents.evaluation.cell import Cell, CellResult
from staragents.evaluation.cell_job import CellJob
from staragents.evaluation.plan import Plan, cell_name
from staragents.evaluation.saved_cell import SavedCell
from staragents.evaluation.training_memory import check_free
from staragents.files.atomic_file import write_text

CELLS = "cells"
CHECKPOINTS = ".training"


class Students:
    """The cells of a plan in a folder, which the caller has locked. Finished ones are kept and read again."""

    def __init__(
        self, plan: Plan, settings: EvaluationConfig, folder: Path, say: Callable[[str], None]
    ) -> None:
        self._plan = plan
        self._settings = settings
        self._folder = folder
        self._say = say
        self._fingerprints = {job.cell: job.fingerprint(plan.held_out) for job in plan.jobs}
        """Of each cell, of everything that determines the student and its losses."""
        self._room = StudentRoom(plan.jobs[0].path, settings)
        self._done: dict[Cell, SavedCell] = {}
        self._other = 0
        """Saved students of other weights, rows or settings."""

    def results(self) -> list[CellResult]:
        """One result per job of the plan, in order, trained now unless its file is there.

        A student that diverged has a result, too. Raises BadInput for one that does not fit, RunFailed if Ray
        fails; finished cells stay, also after Ctrl-C.
        """
        if todo := self._todo():
            self._check_room(todo)
            self._make_folders()
            # Ray prints a worker's death to standard output, which may carry JSON.
            with redirect_stdout(sys.stderr), ray_session(self._room.demand):
                restore_sigterm()
                self._train(todo)
        shutil.rmtree(self._folder / CHECKPOINTS, ignore_errors=True)
        return [self._done[job.cell].result_of(job) for job in self._plan.jobs]

    def _todo(self) -> list[CellJob]:
        """What is left of all jobs."""
        jobs = self._plan.jobs
        self._other = 0
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
        if self._other:
            are = "student is" if self._other == 1 else "students are"
            self._say(f"{self._other} saved {are} of other weights, rows or settings: trained again")
        if again:
            self._say(
                f"{again} students are trained again for answers or scores that were not asked for before: "
                "weights are not kept"
            )
        return todo

    def _check_room(self, todo: list[CellJob]) -> None:
        """Raises BadInput if a student to train does not fit into what is free here. On a cluster and on
        GPUs, its worker says so."""
        if any(job.steps for job in todo) and not self._settings.num_gpus and not ray_address():
            check_free(todo[0].path, self._settings)

    def _train(self, todo: list[CellJob]) -> None:
        """Run all cells that are not done."""
        progress = StudentProgress(self._plan, todo, self._say)
        tasks = StudentTasks(self._plan.held_out, self._settings, self._room, progress, self._say)
        tasks.run(todo, self._save)

    def _make_folders(self) -> None:
        for name in (CELLS, CHECKPOINTS):
            folder = self._folder / name
            try:
                folder.mkdir(exist_ok=True)
            except OSError as error:
                raise RunFailed(f"--output: can't make {folder}: {error.strerror}") from error

    def _path(self, job: CellJob) -> Path:
        return self._folder / CELLS / f"{cell_name(job.cell)}.json"

    def _saved(self, job: CellJob) -> SavedCell | None:
        """The file in the folder, if it belongs to this student."""
        try:
            saved = SavedCell.from_json(self._path(job).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            self._say(f"{self._path(job)} can't be read ({reason}): its student is trained again")
            return None
        if saved.identity == self._fingerprints[job.cell]:
            return saved
        self._other += 1
        return None

    def _save(self, job: CellJob, result: CellResult) -> None:
        before = self._done.get(job.cell)
        if before is not None and result.diverged:
            student = f"{job.cell.arm}, training seed {job.cell.training_seed}"
            self._say(
                f"{student}, diverged when it was trained again: its losses stay, without what was missing"
            )
        saved = SavedCell(self._fingerprints[job.cell], result, job.parts())
        self._done[job.cell] = saved = saved if before is None else before.with_more(job, result)
        try:
            write_text(self._path(job), saved.to_json())
        except OSError as error:
            raise RunFailed(f"--output: can't write {self._path(job)}: {error.strerror}") from error
        # Not by the task: until the result is saved, a death of its node would lose hours.
        shutil.rmtree(job.folder, ignore_errors=True)
