"""Size and checksum of complete files."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NotRequired, TypedDict

CHANGED = "its content has changed: the checksum does not match"


class FileFacts(TypedDict):
    """`bytes` is the size, `sha256` the checksum of the content. `rows` is set for tables only."""

    bytes: int
    sha256: str
    rows: NotRequired[int]


def facts_of(path: Path, rows: int | None = None) -> FileFacts:
    """Raises OSError."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    facts = FileFacts(bytes=path.stat().st_size, sha256=digest)
    return facts if rows is None else FileFacts(rows=rows, **facts)


def mismatch(path: Path, facts: FileFacts, deep: bool) -> str | None:
    """The problem with the file, or None. Reads the content only if `deep`."""
    try:
        size = path.stat().st_size
        if not path.is_file():
            return "expected a file"
        if size != facts["bytes"]:
            return f"expected {facts['bytes']} bytes, got {size}"
        if deep and facts_of(path)["sha256"] != facts["sha256"]:
            return CHANGED
    except FileNotFoundError:
        return "missing"
    except OSError as error:
        return f"can't be read: {error.strerror}"
    return None
