"""Private folders, accessible only to this user, for the sockets, logs and objects of a local Ray."""

from __future__ import annotations

import logging
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from actors.ray_internals import temporary_folder
from staragents.base.errors import RunFailed

# A socket path may have 107 characters, and Ray appends about 65 to its folder.
LONGEST = 40
LOCK = ".lock"
FALLBACK = Path("/tmp")

logger = logging.getLogger(__name__)


@contextmanager
def private_folder() -> Iterator[Path]:
    """A new folder, held by a lock and removed on exit. After an error it stays for its logs until the next
    one is made, as do folders of killed processes.

    Raises RunFailed if there is no location that only this user can write to.
    """
    above = _of_this_user()
    with FileLock(above / LOCK):
        _remove_left_over(above)
        folder = Path(tempfile.mkdtemp(prefix="s-", dir=above))
        # The system releases it when the process ends for any reason.
        held = FileLock(folder / LOCK)
        held.acquire()
    try:
        yield folder
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        held.release()


def _of_this_user() -> Path:
    name = f"staragents-{os.getuid()}"
    given = Path(temporary_folder()) / name
    # Batch systems use long folder names, which do not fit into a socket path.
    if not given.is_absolute() or len(str(given)) > LONGEST:
        folder = _made(FALLBACK / name)
    else:
        try:
            folder = _made(given)
        except RunFailed as error:
            if os.path.lexists(given) or given.parent == FALLBACK:
                raise
            folder = _made(FALLBACK / name)
            logger.warning("%s; Ray uses %s", error, folder)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise RunFailed(
            f"{folder}: expected a folder that you own with mode 0700, got {_described(found)}; remove it, "
            "or set RAY_TMPDIR to a short path that you own"
        )
    return folder


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise RunFailed(
            f"can't make the temporary folder {folder}: {error.strerror} (TMPDIR, RAY_TMPDIR)"
        ) from error
    return folder


def _described(found: os.stat_result) -> str:
    if stat.S_ISLNK(found.st_mode):
        return "a symbolic link"
    if not stat.S_ISDIR(found.st_mode):
        return "no folder"
    return f"a folder of user {found.st_uid} with mode {stat.S_IMODE(found.st_mode):04o}"


def _remove_left_over(above: Path) -> None:
    for folder in above.glob("s-*"):
        try:
            with FileLock(folder / LOCK, timeout=0):
                shutil.rmtree(folder, ignore_errors=True)
        except (Timeout, OSError):
            continue  # of a running session
