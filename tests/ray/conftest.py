"""Runs the real command line in its own process, so that it can be interrupted and killed, and a Ray head
to join."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.foreground import in_foreground
from tests.support.paths import ROOT

# Ray would prestart idle workers, which cost seconds of CPU each.
os.environ |= {"RAY_prestart_worker_first_driver": "0", "RAY_enable_worker_prestart": "0"}
MARK = "STARAGENTS_TEST_MARK"
KEY = "sk-this-key-must-never-be-seen"
KEY_NAME = "STARAGENTS_TEST_KEY"
RAY = Path(sys.executable).with_name("ray")


def marked(mark: str) -> list[psutil.Process]:
    """Processes with this mark in their environment, which children inherit."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


@contextlib.contextmanager
def frozen_scorers(processes: list[psutil.Process]) -> Iterator[int]:
    """Suspend the scorers among `processes`: no further candidate is finished, so a run can't end meanwhile,
    however slow the machine is. Yields their number."""
    scorers = [process for process in processes if _title(process).startswith("ray::Scorer")]
    for process in scorers:
        process.suspend()
    try:
        yield len(scorers)
    finally:
        for process in scorers:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()


@dataclass
class Job:
    """A started command and a mark that every process it starts inherits."""

    process: subprocess.Popen[str]
    mark: str

    def wait(self, timeout: float = 480) -> tuple[int, str]:
        out, _ = self.process.communicate(timeout=timeout)
        return self.process.returncode, out

    def interrupt(self) -> None:
        os.killpg(self.process.pid, signal.SIGINT)

    def kill_group(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def left_over(self, patience: float = 30) -> list[str]:
        """Processes of the job that still run after `patience` seconds."""
        deadline = time.monotonic() + patience
        while (found := self._marked()) and time.monotonic() < deadline:
            time.sleep(0.5)
        return found

    def processes(self) -> list[psutil.Process]:
        """The command's child processes and their descendants."""
        return marked(self.mark)

    def _marked(self) -> list[str]:
        found = []
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                found.append(f"{process.pid} {' '.join(process.cmdline())[:120]}")
        return found


@contextlib.contextmanager
def started_jobs() -> Iterator[Callable[..., Job]]:
    """Returns a function that starts a command; leftovers are killed at the end."""
    jobs: list[Job] = []

    def begin(*arguments: str, cwd: Path = ROOT, **environment: str) -> Job:
        mark = uuid.uuid4().hex
        process = subprocess.Popen(
            [sys.executable, "-m", "cluster.job", *arguments],
            cwd=cwd,
            env={**os.environ, MARK: mark, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=in_foreground,
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


@pytest.fixture
def start() -> Iterator[Callable[..., Job]]:
    """`start("run", "configs/fake.yaml", ...)` starts a command."""
    with started_jobs() as begin:
        yield begin


def wait_until(condition: Callable[[], bool], what: str, timeout: float = 300) -> None:
    """Poll; fails with `what` after the timeout."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout:g} s for {what}"
        time.sleep(0.1)


@pytest.fixture(name="wait_until")
def _wait_until() -> Callable[..., None]:
    return wait_until


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Head:
    """A real Ray head, as started by `ray start`: metrics, dashboard and job server, all on loopback.

    It has its own session and folder, so that it meets no other Ray on this machine.
    """

    def __init__(self) -> None:
        # Short: a socket's path may have 107 characters, and Ray makes long ones.
        self.folder = Path(tempfile.mkdtemp(prefix="sa-", dir="/tmp"))
        self.port, self.dashboard_port, self.metrics_port = free_port(), free_port(), free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.dashboard = f"http://127.0.0.1:{self.dashboard_port}"
        self.mark = uuid.uuid4().hex
        # Ray asks for a token by default: anyone who reaches a cluster can run code on it.
        self.token = uuid.uuid4().hex
        (self.folder / "token").write_text(self.token)
        self.environment = {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(self.folder / "token"),
            "RAY_ADDRESS": self.address,
            # On loopback. Joining processes need it too, or they look for the head at the machine's address.
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        }
        self.log = (self.folder / "head.log").open("w")
        self.process = subprocess.Popen(
            [
                RAY, "start", "--head", "--block", f"--port={self.port}", "--num-cpus=4", "--num-gpus=1",
                f"--temp-dir={self.folder}", f"--metrics-export-port={self.metrics_port}",
                "--include-dashboard=true", "--dashboard-host=127.0.0.1",
                f"--dashboard-port={self.dashboard_port}", f"--dashboard-agent-listen-port={free_port()}",
                "--object-store-memory=200000000", "--disable-usage-stats",
            ],
            env={
                **os.environ,
                **self.environment,
                MARK: self.mark,
                KEY_NAME: KEY,
                # Each process exports its metrics every 10 s by default.
                "RAY_metrics_report_interval_ms": "2000",
                "RAY_process_group_cleanup_enabled": "1",
            },
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    def wait(self, timeout: float = 90) -> None:
        """Waits until the job server answers."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                self.get("/api/version")
                return
            except OSError:
                assert self.process.poll() is None, (self.folder / "head.log").read_text()
                assert time.monotonic() < deadline, (self.folder / "head.log").read_text()
                time.sleep(0.5)

    def get(self, path: str) -> Any:
        """The dashboard's answer, parsed from JSON. Raises OSError."""
        headers = {"Authorization": f"Bearer {self.token}"}
        request = urllib.request.Request(self.dashboard + path, headers=headers)
        return json.loads(urllib.request.urlopen(request, timeout=10).read())

    def processes(self) -> list[psutil.Process]:
        """Those of Ray, of its actors and of submitted jobs; not of drivers that joined it."""
        return marked(self.mark)

    def targets(self) -> list[str]:
        """The targets that Prometheus would scrape, from Ray's file service discovery."""
        path = self.folder / "prom_metrics_service_discovery.json"
        return json.loads(path.read_text())[0]["targets"] if path.exists() else []

    def scrape(self) -> str:
        """The pages of all targets, in order."""
        pages = []
        for target in self.targets():
            try:
                pages.append(urllib.request.urlopen(f"http://{target}/metrics", timeout=10).read().decode())
            except OSError:
                continue  # a target may be listed a moment before it answers
        return "\n".join(pages)

    def stop(self) -> None:
        with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(5)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(scope="module")
def head() -> Iterator[Head]:
    """One head for the tests of a module."""
    head = Head()
    try:
        head.wait()
        yield head
    finally:
        head.stop()
