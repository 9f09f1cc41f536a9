"""Carry out a plan of disturbances on one run after the other."""

from __future__ import annotations

import random
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from . import clock, disk_faults, partition, rivals, stopped_run
from .cluster import ChaosCluster
from .comparison import damage
from .disk import SmallDisk
from .job import ChaosJob, WrongEnd
from .plan import ALIKE_AT_ONCE, Kill
from .progress import Progress
from .scene import Episode, Scene, ShortRuns

STEPS: dict[str, Episode] = {
    "rival": rivals.rival,
    "rival-new": rivals.rival_new,
    "results": rivals.results,
    "shard-missing": stopped_run.shard_missing,
    "shard-damaged": stopped_run.shard_damaged,
    "state-damaged": stopped_run.state_damaged,
    "disk-full": disk_faults.disk_full,
    "inodes-full": disk_faults.inodes_full,
    "read-only": disk_faults.read_only,
    "clock-back": clock.clock_back,
    "partition": partition.partition,
}
AT_BEGIN, AT_END = "rival-new", "results"
"""Kinds that wait for the start of a run, or the commit of its last seed, whatever their position."""
WRONG = "failed: "
POLL_S = 0.05
STALL_TIMEOUT_S = 180.0
WRONG_ENDS = 3
"""Give up after so many runs that ended when they should have continued."""


class Campaign:
    """At most `most_open` kills are open, that is, the run has not recovered from them yet."""

    def __init__(
        self,
        progress: Progress,
        cluster: ChaosCluster,
        disk: SmallDisk,
        short: ShortRuns,
        overrides: Sequence[str],
        seeds: int,
        undisturbed: Path,
        most_open: int,
    ) -> None:
        self._progress, self._cluster, self._disk, self._short = progress, cluster, disk, short
        self._overrides, self._seeds, self._undisturbed = overrides, seeds, undisturbed
        self._most_open = most_open
        self._open: dict[int, tuple[Kill, float]] = {}

    def carry_out(self) -> None:
        """Returns when the last run is finished, or after WRONG_ENDS failures."""
        self._begin()
        while self._goes_on():
            time.sleep(POLL_S)
            self._strike_what_is_due()

    # -- the current run -----------------------------------------------------------------------------------

    @property
    def _number(self) -> int:
        return len(self._progress.runs) + self._progress.broken + 1

    def _begin(self) -> None:
        path = self._disk.mount / f"run-{self._number}"
        fresh = not path.exists()
        log = self._progress.path / f"{path.name}.log"
        self._job = ChaosJob(path, self._overrides, {"RAY_ADDRESS": self._cluster.address}, log)
        self._starts()
        if fresh and (kill := self._first(AT_BEGIN)):
            self._strike(kill)

    def _starts(self) -> None:
        """Before the first commit only the driver may be killed: a pool that fails to start ends the command
        with the reason."""
        self._start = self._cursor = self._job.cursor()
        self._moved = self._since = time.monotonic()

    def _goes_on(self) -> bool:
        now, code = time.monotonic(), self._job.process.poll()
        cursor = self._job.cursor()
        if cursor > self._cursor:
            self._cursor, self._moved = cursor, now
        self._recover(cursor, now, finished=code == 0)
        if code == 0:
            return self._finish()
        if code is not None:
            self._failed(f"ended with exit code {code}: {self._job.last_line()}")
        elif now - self._moved > STALL_TIMEOUT_S:
            self._failed(f"stalled for {STALL_TIMEOUT_S:g} s")
        else:
            return True
        self._job.restart()
        self._starts()
        return len(self._progress.failures) < WRONG_ENDS

    def _recover(self, cursor: int, now: float, finished: bool) -> None:
        recovered = [key for key, (kill, _) in self._open.items() if cursor > kill.seed or finished]
        for key in recovered:
            kill, at = self._open.pop(key)
            kill.recovery_s = round(now - at, 2)
        if recovered:
            self._progress.save()

    def _finish(self) -> bool:
        """Returns whether another run begins."""
        path = self._job.run.path
        found = damage(path, self._undisturbed)
        self._progress.runs.append(found)
        self._move(path, path.name)
        say(f"{path.name} is finished; differences: {found}")
        self._progress.save()
        if self._progress.todo:
            self._begin()
        return bool(self._progress.todo)

    def _move(self, path: Path, name: str) -> None:
        """Move a run off the small disk. A benchmark killed right afterwards may have left a copy."""
        shutil.rmtree(self._progress.path / name, ignore_errors=True)
        shutil.move(path, self._progress.path / name)

    # -- disturbances --------------------------------------------------------------------------------------

    def _strike_what_is_due(self) -> None:
        if self._job.cursor() == self._seeds and (kill := self._first(AT_END)):
            self._strike(kill)
            return
        salvo = self._next_salvo()
        if not salvo:
            return
        if not self._room_for(salvo):
            self._since = time.monotonic()
            return
        works = self._cursor > self._start or salvo[0].kind == "driver"
        due = works and time.monotonic() - self._since >= salvo[0].pause_s
        if due and any([self._strike(kill) for kill in salvo]):
            self._since = time.monotonic()

    def _next_salvo(self) -> list[Kill]:
        salvo: list[Kill] = []
        for kill in self._progress.todo:
            if kill.kind in (AT_BEGIN, AT_END):
                continue
            if salvo and not kill.salvo:
                break
            salvo.append(kill)
        return salvo

    def _first(self, kind: str) -> Kill | None:
        return next((kill for kill in self._progress.todo if kill.kind == kind), None)

    def _room_for(self, salvo: Sequence[Kill]) -> bool:
        """Disturbances of several steps come alone; kills may overlap."""
        if salvo[0].kind in STEPS:
            return not self._open
        kinds = [kill.kind for kill, _ in self._open.values()] + [kill.kind for kill in salvo]
        crowded = any(kinds.count(kind) > ALIKE_AT_ONCE for kind in kinds)
        return len(kinds) <= self._most_open and not crowded

    def _strike(self, kill: Kill) -> bool:
        """Returns whether there was such a victim."""
        number = len(self._progress.done)
        rng = random.Random(f"{self._progress.settings['seed']} {number}")
        kill.run, kill.seed, at = self._number, self._job.cursor(), time.monotonic()
        if kill.kind == "driver":
            kill.who = self._job.restart()
            self._starts()
        elif kill.kind in STEPS:
            kill.who = self._step(kill, rng)
        else:
            kill.who = self._cluster.kill(kill.kind, rng)
        if not kill.who:
            return False
        self._progress.todo.remove(kill)
        self._progress.done.append(kill)
        if kill.recovery_s is None and not kill.who.startswith(WRONG):
            self._open[number] = (kill, at)
        self._progress.save()
        say(f"{self._progress.pace}: run {kill.run}, seed {kill.seed}: {kill.kind} {kill.who}")
        return True

    def _step(self, kill: Kill, rng: random.Random) -> str:
        """Disturb in several steps. After a WrongEnd, an unfinished run is set aside and another begins."""
        scene = Scene(self._cluster, self._disk, self._job, self._short, rng)
        try:
            struck = STEPS[kill.kind](scene)
        except WrongEnd as error:
            self._failed(f"{kill.kind}: {error}")
            self._disk.free()
            self._set_aside()
            return f"{WRONG}{error}"
        self._job = scene.job
        self._starts()
        kill.seed = self._cursor
        if struck is None:
            return ""
        kill.recovery_s = None if struck.recovery_s is None else round(struck.recovery_s, 2)
        return struck.who

    def _set_aside(self) -> None:
        if self._job.process.poll() is None:
            self._starts()
            return
        self._cluster.wait_for_writers()
        path = self._job.run.path
        self._move(path, f"{path.name}-broken")
        self._progress.broken += 1
        self._begin()

    def _failed(self, what: str) -> None:
        after = ", ".join(kill.kind for kill, _ in self._open.values()) or "none since the last commit"
        self._progress.failures.append(f"run {self._number}, seed {self._cursor} (killed: {after}): {what}")
        say(f"FAILED: {self._progress.failures[-1]}")


def say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)
