"""Whether a folder can be written to, before hours of work are to go there."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

ROOM_FOR_NAMES = 200
"""Bytes that names below an output folder may take."""


def folder_problem(folder: str | Path) -> str | None:
    """What keeps files from being written to a folder, which may be missing; None if nothing does. Makes
    nothing that stays."""
    if "\0" in str(folder):
        return f"expected a folder, got a name with a null byte: {str(folder)!r}"
    there = existing(folder)
    for path in (Path(folder), *Path(folder).parents):
        if os.path.islink(path) and not os.path.exists(path):
            return f"expected a folder, got {folder}, where {path} is a symbolic link that leads nowhere"
    if not there.is_dir():
        return f"expected a folder, got {folder}, where {there} is a file"
    try:
        longest, whole = os.pathconf(there, "PC_NAME_MAX"), os.pathconf(there, "PC_PATH_MAX") - ROOM_FOR_NAMES
        parts = [os.fsencode(part) for part in Path(folder).parts]
        if max(map(len, parts), default=0) > longest:
            return f"expected a writable folder with names of at most {longest} bytes, got a longer one"
        if len(os.fsencode(Path(folder).absolute())) > whole:
            return f"expected a writable folder with a path of at most {whole} bytes, got a longer one"
        # Permissions don't tell of a file system that is full or mounted for reading only: try it.
        with tempfile.TemporaryFile(dir=there):
            return None
    except OSError as error:
        return f"expected a writable folder, got {there}: {error.strerror or error}"


def existing(path: str | Path) -> Path:
    """The path itself, or the nearest folder above it that is there. Never raises, unlike Path.exists."""
    found = Path(path).absolute()
    while not os.path.exists(found):
        found = found.parent
    return found
