"""Processes of one benchmark, identified by an inherited variable: other Rays may run on this machine."""

from __future__ import annotations

import os
from collections.abc import Sequence

import psutil

MARK = "STARAGENTS_CHAOS_MARK"
STOP_S = 20.0


def marked() -> list[psutil.Process]:
    """All processes with this process's mark, except itself."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get(MARK) == os.environ[MARK]:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def end(processes: Sequence[psutil.Process], timeout_s: float = 0.0) -> None:
    """SIGKILL processes that are alive after `timeout_s`, and wait until they have ended."""
    _, alive = psutil.wait_procs(processes, timeout=timeout_s)
    for process in alive:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(alive, timeout=STOP_S)
