"""Processes of one benchmark, recognised by a mark that they inherit: other Rays may run on this machine."""

from __future__ import annotations

import os
from collections.abc import Sequence

import psutil

MARK = "STARAGENTS_CHAOS_MARK"
STOP_S = 20.0


def marked() -> list[psutil.Process]:
    """All processes with this process's mark, itself aside."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get(MARK) == os.environ[MARK]:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def end(processes: Sequence[psutil.Process], patience_s: float = 0.0) -> None:
    """SIGKILL those that are still there after `patience_s`, and wait until they are gone."""
    _, alive = psutil.wait_procs(processes, timeout=patience_s)
    for process in alive:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(alive, timeout=STOP_S)
