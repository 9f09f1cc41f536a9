"""A file of a dataset, local or remote."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from staragents.files.user_files import open_file


@dataclass(frozen=True, slots=True)
class DataFile:
    """`name` is for messages, and its suffix is for format detection. `identity` changes with the content.
    `open` returns a raw or buffered byte stream."""

    name: str
    open: Callable[[], Any]
    identity: Callable[[], list[Any]]
    path: Path | None = None
    """The path of a local file."""


def local_file(path: Path, name: str) -> DataFile:
    def identity() -> list[Any]:
        facts = path.stat()
        return [str(path.absolute()), facts.st_size, facts.st_mtime_ns]

    return DataFile(name, lambda: open_file(path), identity, path)
