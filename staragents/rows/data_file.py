"""One file of a dataset, on this machine or behind a URL."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from staragents.user_files import open_file


@dataclass(frozen=True, slots=True)
class DataFile:
    """`name` stands in messages and its suffix is looked at; `identity` changes when the content does.
    `open` gives a raw or buffered stream of bytes."""

    name: str
    open: Callable[[], Any]
    identity: Callable[[], list[Any]]
    path: Path | None = None
    """Where it lies, if it is a file of this machine."""


def local_file(path: Path, name: str) -> DataFile:
    def identity() -> list[Any]:
        facts = path.stat()
        return [str(path.absolute()), facts.st_size, facts.st_mtime_ns]

    return DataFile(name, lambda: open_file(path), identity, path)
