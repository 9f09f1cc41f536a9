"""Trains and measures students as Ray tasks, as many at once as fit."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import (
    RayError,
    RayTaskError,
    RuntimeEnvSetupError,
    TaskUnschedulableError,
    UnserializableException,
)

from actors.clean_up import quietly
from actors.reasons import own_cause, reason_of
from actors.student_cell import cell_environment, train_cell
from cluster.driver.student_notes import StudentNotes
from cluster.driver.student_progress import StudentProgress
from cluster.driver.student_room import StudentRoom
from staragents.base.errors import RunFailed, StarAgentsError, TemporaryFailure
from staragents.config import EvaluationConfig
from staragents.evaluation.cell import CellResult
from staragents.evaluation.cell_job import CellJob
from staragents.evaluation.held_out import HeldOut

DELAYS_S = (5.0, 60.0, 300.0)
"""Before each further attempt at a student whose process or node died, also for lack of memory, which Ray
itself would retry forever, or for which a hub was too busy: hubs count requests in five minutes."""
FINAL = (RayTaskError, RuntimeEnvSetupError, TaskUnschedulableError, UnserializableException)
"""Errors of Ray that are no such death: every attempt would end with the same one. The last is an error of
the student itself that can't be unpickled."""
WAIT_S = 0.5
STALL_S = 300.0
"""After so long without a running student, the user is told what they wait for."""


@dataclass(frozen=True, slots=True)
class _Attempt:
    """`note`: its name; the task leaves it with Ray when it begins. `earliest`: time to submit it, in seconds
    of `time.monotonic`."""

    job: CellJob
    number: int
    note: str
    earliest: float

    @property
    def name(self) -> str:
        return f"arm {self.job.cell.arm}, training seed {self.job.cell.training_seed}"


class StudentTasks:
    """The students of one command. Needs a connection to Ray."""

    def __init__(
        self,
        held_out: Sequence[HeldOut],
        settings: EvaluationConfig,
        room: StudentRoom,
        progress: StudentProgress,
        say: Callable[[str], None],
    ) -> None:
        self._held_out = ray.put(held_out)
        self._room = room
        self._progress = progress
        self._say = say
        # A process keeps its CUDA context and cached memory, for which the next student has no room. Ray ends
        # it by itself only if the decorator, not `options`, names the GPUs.
        remote = ray.remote(max_calls=1 if settings.num_gpus else 0)
        self._task: Any = remote(train_cell).options(
            **room.options(), max_retries=0, runtime_env={"env_vars": cell_environment(settings)}
        )
        self._notes = StudentNotes()
        self._left: deque[_Attempt] = deque()
        self._submitted: dict[Any, _Attempt] = {}
        self._failure: StarAgentsError | None = None
        self._ran = time.monotonic()
        """When a student was last known to run or to wait for its next attempt, or the user was told that
        none runs."""

    def run(self, jobs: Sequence[CellJob], save: Callable[[CellJob, CellResult], None]) -> None:
        """Call `save` with the result of each job as soon as it is there.

        After the first failure, also of `save`, nothing more begins, but the results of the students that
        run are saved before it is raised: an error of a student, or RunFailed with the reason of Ray. Ctrl-C
        stops all at once.
        """
        self._left.extend(_Attempt(job, 1, self._notes.new(), time.monotonic()) for job in jobs)
        try:
            while self._left or self._submitted:
                self._submit()
                for one in self._ended():
                    # A failure cancels those that have not begun.
                    if (attempt := self._submitted.pop(one, None)) is not None:
                        self._read(one, attempt, save)
                if self._progress.is_due:
                    self._tell()
        finally:
            for one in self._submitted:
                quietly(ray.cancel, one)
            self._notes.remove()
        if self._failure is not None:
            raise self._failure

    def _submit(self) -> None:
        """No more than may find a place, because each waiting task holds a copy of its rows."""
        places = self._room.places() if self._left else 0
        while len(self._submitted) < places and (attempt := self._next()) is not None:
            self._submitted[self._task.remote(attempt.job, self._held_out, attempt.note)] = attempt

    def _next(self) -> _Attempt | None:
        """Take the first attempt whose time has come."""
        now = time.monotonic()
        for index, attempt in enumerate(self._left):
            if attempt.earliest <= now:
                del self._left[index]
                return attempt
        return None

    def _ended(self) -> list[Any]:
        """Wait a moment for submitted tasks to end."""
        if not self._submitted:
            time.sleep(WAIT_S)
            return []
        return list(ray.wait(list(self._submitted), timeout=WAIT_S)[0])

    def _read(self, done: Any, attempt: _Attempt, save: Callable[[CellJob, CellResult], None]) -> None:
        try:
            result: CellResult = ray.get(done)
            save(attempt.job, result)
        except RayError as error:
            self._failed(attempt, error)
        except StarAgentsError as error:
            self._stop(error)
        else:
            self._saw(time.monotonic())
            self._progress.finished(attempt.job, result)

    def _failed(self, attempt: _Attempt, error: RayError) -> None:
        """Try again later if not the student failed, but its process, its node or a hub."""
        cause, reason = own_cause(error), f"{attempt.name}: {reason_of(error)}"
        is_final = isinstance(error, FINAL) and not isinstance(cause, TemporaryFailure)
        if is_final or attempt.number > len(DELAYS_S) or self._failure is not None:
            self._stop(cause or RunFailed(reason))
            return
        delay = DELAYS_S[attempt.number - 1]
        self._say(f"{reason}; trying again in {delay:g} s, {attempt.number} of {len(DELAYS_S)}")
        earliest = time.monotonic() + delay
        self._saw(earliest)
        self._left.appendleft(_Attempt(attempt.job, attempt.number + 1, self._notes.new(), earliest))

    def _stop(self, failure: StarAgentsError) -> None:
        """Begin nothing more."""
        if self._failure is not None:
            self._say(str(failure))
            return
        self._failure = failure
        self._left.clear()
        begun = self._begun()
        for one in [one for one in self._submitted if one not in begun]:
            quietly(ray.cancel, one)
            del self._submitted[one]
        if self._submitted:
            self._say(f"{failure}; waiting for students in training: {len(self._submitted)}")

    def _begun(self) -> set[Any]:
        """The submitted tasks that run."""
        known = self._notes.left()
        return {one for one, attempt in self._submitted.items() if attempt.note in known}

    def _saw(self, when: float) -> None:
        self._ran = max(self._ran, when)

    def _tell(self) -> None:
        running = len(self._begun())
        now = time.monotonic()
        self._progress.tick(running, len(self._submitted))
        if running:
            self._saw(now)
        elif now - self._ran >= STALL_S:
            self._ran = now
            waiting = len(self._left) + len(self._submitted)
            self._say(f"no student runs for {STALL_S / 60:g} min: {waiting} wait; {self._room.shortage()}")
