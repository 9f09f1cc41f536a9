"""Files that are there as a whole or not at all, whenever the process or the machine stops."""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

TEMPORARY = ".*.tmp"
"""Glob of what a killed writer leaves behind."""
# Some network file systems can't sync a folder; a rename is then as durable as they make it.
UNSYNCABLE = {errno.EINVAL, errno.ENOTSUP, errno.EBADF}


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """A temporary path beside `target` that replaces it when the block ends, and is removed if that fails.

    The content is on the disk before it gets its name, so that a loss of power leaves the old file or the new
    one. Raises OSError.
    """
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        yield temporary
        sync(temporary)
        os.replace(temporary, target)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    sync_folder(target.parent)


def write_text(target: Path, text: str) -> None:
    """Replace a file as a whole by UTF-8 text. Raises OSError."""
    with replacing(target) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def sync(path: Path) -> None:
    """Have the file's content on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk, as far as its file system can."""
    try:
        sync(folder)
    except OSError as error:
        if error.errno not in UNSYNCABLE:
            raise
