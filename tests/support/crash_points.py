"""Kills a process before one of the steps that change files of a folder."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from staragents.memory.outcome_log import OutcomeLog

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
AUDITED = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate"}
"""Python audit events, besides `open`, that change files; os.replace counts as a rename."""


class CrashPoints:
    """Counts every open for writing, rename, unlink, mkdir and write of the memory bank in `folder`, and
    kills this process with SIGKILL before the step with number `kill_before`, counted from 0.

    What is being written is cut in half, as a kill during a write would leave it. A kill after a step is
    a kill before the next one. A sync is no step: to other processes, the files are the same before and after
    it. Only one per process, because audit hooks can't be removed.
    """

    def __init__(self, folder: Path, kill_before: int | None) -> None:
        self.steps: list[str] = []
        self.unsynced: list[str] = []
        """Files renamed before their content was synced."""
        self._folder = str(folder)
        self._kill_before = kill_before
        self._synced: set[tuple[int, int]] = set()
        self._looking = False
        sys.addaudithook(self._audit)
        os.fsync = self._noted(os.fsync)
        OutcomeLog.append = self._torn(OutcomeLog.append)  # type: ignore[method-assign]
        OutcomeLog.cut = self._counted("bank cut", OutcomeLog.cut)  # type: ignore[method-assign]

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._looking or not (event == "open" or event in AUDITED):
            return
        path = os.fsdecode(arguments[0]) if isinstance(arguments[0], str | bytes | os.PathLike) else ""
        if not path.startswith(self._folder):
            return
        if event == "open" and not arguments[2] & WRITES:
            return
        if event == "os.rename" and "/memory/" not in path and not self._is_synced(path):
            self.unsynced.append(path)
        self._step(f"{event} {path.removeprefix(self._folder)}")

    def _counted(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any) -> Any:
            self._step(name)
            return call(*arguments)

        return wrapped

    def _torn(self, append: Callable[..., None]) -> Callable[..., None]:
        def wrapped(log: OutcomeLog, records: Any) -> None:
            if len(self.steps) == self._kill_before:
                start = log.end
                append(log, records)
                log._file.truncate((start + log.end) // 2)
            self._step("bank append")
            append(log, records)

        return wrapped

    def _noted(self, sync: Callable[[int], None]) -> Callable[[Any], None]:
        def wrapped(descriptor: int) -> None:
            sync(descriptor)
            status = os.fstat(descriptor)
            self._synced.add((status.st_dev, status.st_ino))

        return wrapped

    def _is_synced(self, path: str) -> bool:
        status = os.stat(path)
        return (status.st_dev, status.st_ino) in self._synced

    def _step(self, step: str) -> None:
        if len(self.steps) == self._kill_before:
            self._looking = True
            for torn in Path(self._folder).rglob(".*.tmp"):
                os.truncate(torn, torn.stat().st_size // 2)
            os.kill(os.getpid(), signal.SIGKILL)
        self.steps.append(step)
