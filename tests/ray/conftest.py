"""Runs the real command line as a process of its own, so that it can be interrupted and killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]


@dataclass
class Job:
    """A started command and a mark that every process it starts inherits."""

    process: subprocess.Popen[str]
    mark: str

    def wait(self, timeout: float = 240) -> tuple[int, str]:
        out, _ = self.process.communicate(timeout=timeout)
        return self.process.returncode, out

    def interrupt(self) -> None:
        os.killpg(self.process.pid, signal.SIGINT)

    def kill_group(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def left_over(self, patience: float = 30) -> list[str]:
        """Processes of the job that are still there after `patience` seconds."""
        deadline = time.monotonic() + patience
        while (found := self._marked()) and time.monotonic() < deadline:
            time.sleep(0.5)
        return found

    def _marked(self) -> list[str]:
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("STARAGENTS_TEST_MARK") == self.mark:
                    found.append(f"{process.pid} {' '.join(process.cmdline())[:120]}")
            except (psutil.Error, OSError):
                continue
        return found


@pytest.fixture
def start() -> Iterator[Callable[..., Job]]:
    """`start("run", "configs/fake.yaml", ...)` begins a command; whatever is left is killed at the end."""
    jobs: list[Job] = []

    def begin(*arguments: str, **environment: str) -> Job:
        mark = uuid.uuid4().hex
        process = subprocess.Popen(
            [sys.executable, "-m", "cluster.job", *arguments],
            cwd=ROOT,
            env={**os.environ, "STARAGENTS_TEST_MARK": mark, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        jobs.append(Job(process, mark))
        return jobs[-1]

    yield begin
    for job in jobs:
        for line in job._marked():
            try:
                psutil.Process(int(line.split()[0])).kill()
            except psutil.Error:
                continue
        job.process.wait()


def wait_until(condition: Callable[[], bool], what: str, timeout: float = 120) -> None:
    """Poll; fails with `what` when the time is up."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout:g} s for {what}"
        time.sleep(0.1)


@pytest.fixture(name="wait_until")
def _wait_until() -> Callable[..., None]:
    return wait_until
