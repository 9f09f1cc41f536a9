"""Folders below one that only this user can enter, for what a local Ray writes: sockets, logs, objects."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from ray._common.utils import get_default_system_temp_dir

from staragents.errors import RunFailed

# A socket's path may have 107 characters, and Ray adds some 65 to its folder's.
LONGEST = 40
LOCK = ".lock"


@contextmanager
def private_folder() -> Iterator[Path]:
    """A new folder, held by a lock and removed at the end. One whose block failed stays, for its logs, until
    the next is made; so do those of killed processes.

    Raises RunFailed if there is no place that only this user can write to.
    """
    above = _of_this_user()
    with FileLock(above / LOCK):
        _remove_left_over(above)
        folder = Path(tempfile.mkdtemp(prefix="s-", dir=above))
        # The system lets it go when the process ends, however it ends.
        held = FileLock(folder / LOCK)
        held.acquire()
    try:
        yield folder
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        held.release()


def _of_this_user() -> Path:
    """In Ray's own place for temporary files: RAY_TMPDIR, TMPDIR or /tmp."""
    place = Path(get_default_system_temp_dir())
    folder = place / f"staragents-{os.getuid()}"
    if len(str(folder)) > LONGEST:
        # Folders of batch systems have long names, and sockets must not.
        folder = Path("/tmp") / folder.name
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise RunFailed(f"can't make the temporary folder {folder}: {error.strerror}") from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise RunFailed(
            f"{folder}: expected a folder of yours with mode 0700, got {_described(found)}; remove it, or "
            "set RAY_TMPDIR to a short path of yours"
        )
    return folder


def _described(found: os.stat_result) -> str:
    if stat.S_ISLNK(found.st_mode):
        return "a symbolic link"
    if not stat.S_ISDIR(found.st_mode):
        return "something else"
    return f"one of user {found.st_uid} with mode {stat.S_IMODE(found.st_mode):04o}"


def _remove_left_over(above: Path) -> None:
    for folder in above.glob("s-*"):
        try:
            with FileLock(folder / LOCK, timeout=0):
                shutil.rmtree(folder, ignore_errors=True)
        except (Timeout, OSError):
            continue  # of a session that goes on
