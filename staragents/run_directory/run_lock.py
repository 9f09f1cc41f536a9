"""Locks of a run directory: only one command at a time, and only one coordinator, may write to it."""

from __future__ import annotations

import json
import os
import socket
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock, Timeout

from staragents.base.errors import BadInput, RunFailed
from staragents.files.atomic_file import write_text

LOCK = ".lock"
"""Held by a command from its first access to the directory to its end."""
WRITER = ".writer.lock"
"""Held by the coordinator, which briefly outlives a killed command."""
OWNER = ".owner.json"
LAST_WRITER_S = 60.0
"""How long a coordinator may take to notice that its command was killed."""
HOLDER_S = 1.0
"""How long a command that has just taken the lock may take to write who it is."""


@contextmanager
def command_lock(folder: Path, setting: str = "output.dir") -> Iterator[str]:
    """Hold `folder` for this command, creating it if needed; yields the session id. `setting` names the
    folder in messages.

    The operating system releases the lock when the process ends. An unused new folder is removed. Raises
    RunFailed with the owner if another command holds the folder or if the coordinator of a killed command
    does not end; BadInput if the folder can't be written to.
    """
    try:
        new = [path for path in folder.parents if not path.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / LOCK, thread_local=False)
        lock.acquire(timeout=0)
    except Timeout:
        _await_holder(folder)
        raise RunFailed(f"{setting}: {folder} is in use{_by(folder)}") from None
    except (OSError, NotImplementedError) as error:
        raise BadInput(f"{setting}: can't write to {folder}: {_reason(error)}") from error
    try:
        session = _take(folder, setting)
        yield session
    finally:
        _remove_if_unused(folder, new)
        lock.release()


@contextmanager
def writer_lock(folder: Path, session: str) -> Iterator[None]:
    """Hold `folder` for the coordinator of this session.

    Raises RunFailed if another coordinator writes to it, or another command has taken over.
    """
    lock = FileLock(folder / WRITER, thread_local=False)
    try:
        lock.acquire(timeout=LAST_WRITER_S)
    except Timeout:
        raise RunFailed(f"output.dir: {folder} is being written by another coordinator") from None
    try:
        check_session(folder, session)
        yield
    finally:
        lock.release()


def check_session(folder: Path, session: str) -> None:
    """Raises RunFailed if another command has taken over, as after a lock file was removed by hand."""
    owner = _owner(folder)
    if owner.get("session", session) != session:
        raise RunFailed(f"output.dir: {folder} was taken over{_by(folder)}; this command writes nothing more")


def _take(folder: Path, setting: str) -> str:
    session = uuid.uuid4().hex
    since = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    owner = {"host": socket.gethostname(), "pid": os.getpid(), "since": since, "session": session}
    try:
        # Before taking the writer lock, as a coordinator that Ray restarts in the meantime must see it.
        write_text(folder / OWNER, json.dumps(owner) + "\n")
        with FileLock(folder / WRITER).acquire(timeout=LAST_WRITER_S):
            return session
    except Timeout:
        raise RunFailed(
            f"{setting}: {folder} is still being written by the coordinator of a killed command"
        ) from None
    except OSError as error:
        raise BadInput(f"{setting}: can't write to {folder}: {_reason(error)}") from error


def _remove_if_unused(folder: Path, new: Sequence[Path]) -> None:
    """Remove the folder of a command that failed before it began, and those above it that it made."""
    with suppress(OSError):
        if {path.name for path in folder.iterdir()} <= {LOCK, WRITER, OWNER}:
            for name in (OWNER, WRITER, LOCK):
                (folder / name).unlink(missing_ok=True)
            for path in (folder, *new):
                path.rmdir()


def _owner(folder: Path) -> dict[str, Any]:
    """The owner file, or {} if it is unreadable: it only tells who holds the lock."""
    try:
        owner = json.loads((folder / OWNER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return owner if isinstance(owner, dict) else {}


def _await_holder(folder: Path) -> None:
    """Until the owner is not that of an earlier command, so that an error names the command that holds it."""
    deadline = time.monotonic() + HOLDER_S
    while not _may_hold(_owner(folder)) and time.monotonic() < deadline:
        time.sleep(HOLDER_S / 20)


def _may_hold(owner: dict[str, Any]) -> bool:
    pid = owner.get("pid")
    return isinstance(pid, int) and (owner.get("host") != socket.gethostname() or psutil.pid_exists(pid))


def _by(folder: Path) -> str:
    owner = _owner(folder)
    if not {"pid", "host", "since"} <= owner.keys():
        return ""
    return (
        f" by process {owner['pid']} on {owner['host']} since {owner['since']}; "
        f"see staragents status {folder}"
    )


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
