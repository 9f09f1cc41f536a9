"""Writes files atomically, even if the process or the machine stops."""

from __future__ import annotations

import errno
import json
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

TEMPORARY = ".*.tmp"
"""Glob of temporary files that a killed writer leaves behind."""
# Some network file systems can't sync a folder; a rename is then only as durable as they make it.
UNSYNCABLE = {errno.EINVAL, errno.ENOTSUP, errno.EBADF}


@contextmanager
def replacing(target: Path, folder: Path | None = None) -> Iterator[Path]:
    """A temporary path that replaces `target` when the block ends. It is removed on an error.

    It is next to `target` or in `folder`, which must be on the same file system. The content is synced before
    the rename, so that a power loss leaves either the old file or the new one. Raises OSError.
    """
    temporary = (folder or target.parent) / f".{target.name}.{uuid.uuid4().hex[:8]}.tmp"
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
    """Atomically replace a file with UTF-8 text. Raises OSError."""
    with replacing(target) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(target: Path, value: Mapping[str, Any]) -> None:
    """Atomically replace a file with indented JSON. Raises OSError, and ValueError for NaN and infinity."""
    write_text(target, json_text(value))


def json_text(value: Mapping[str, Any]) -> str:
    """Indented JSON. Raises ValueError for NaN and infinity."""
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def sync(path: Path) -> None:
    """Sync a file's content to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Sync the names in a folder to disk, if its file system supports it."""
    try:
        sync(folder)
    except OSError as error:
        if error.errno not in UNSYNCABLE:
            raise
