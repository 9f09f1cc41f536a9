"""Checks whether a folder is writable, before hours of work depend on it."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

from staragents.base.redaction import redacted

ROOM_FOR_NAMES = 200
"""Bytes of path length reserved for names below an output folder."""
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/")
"""One slash: Path("s3://bucket") has lost the other."""


def address_problem(path: str | Path) -> str | None:
    """Why something to be written is no path, such as s3://bucket; None if it is one."""
    if _ADDRESS.match(str(path)):
        return f"expected a path on a file system that all nodes share, got the address {redacted(str(path))}"
    if str(path).startswith("~") and os.path.expanduser(path) == str(path):
        return f"expected a path, got {path}, which is the home of nobody known here"
    return None


def folder_problem(folder: str | Path) -> str | None:
    """Why files can't be written to a folder, which need not exist; None if they can. Leaves nothing on
    disk."""
    if problem := address_problem(folder):
        return problem
    if "\0" in str(folder):
        return f"expected a folder, got a name with a null byte: {str(folder)!r}"
    there = existing(folder)
    for path in (Path(folder), *Path(folder).parents):
        if os.path.islink(path) and not os.path.exists(path):
            return f"expected a folder, got {folder}, where {path} is a broken symbolic link"
    if not there.is_dir():
        return f"expected a folder, got {folder}, where {there} is a file"
    try:
        longest, whole = os.pathconf(there, "PC_NAME_MAX"), os.pathconf(there, "PC_PATH_MAX") - ROOM_FOR_NAMES
        parts = [os.fsencode(part) for part in Path(folder).parts]
        if max(map(len, parts), default=0) > longest:
            return f"expected a writable folder with names of at most {longest} bytes, got a longer one"
        if len(os.fsencode(Path(folder).absolute())) > whole:
            return f"expected a writable folder with a path of at most {whole} bytes, got a longer one"
        # Permissions don't show that a file system is full or read-only: try to write.
        with tempfile.TemporaryFile(dir=there):
            return None
    except OSError as error:
        return f"expected a writable folder, got {there}: {error.strerror or error}"


def existing(path: str | Path) -> Path:
    """The path itself or its nearest existing parent. Never raises, unlike Path.exists."""
    found = Path(path).absolute()
    while not os.path.exists(found):
        found = found.parent
    return found
