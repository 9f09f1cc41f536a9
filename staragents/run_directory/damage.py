"""What is wrong with a file of a run directory, and the line that a user reads about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from staragents.errors import BadInput

SHOWN = 5


@dataclass(frozen=True, slots=True)
class Damage:
    """`file` is relative to the run directory; `what` completes "FILE: ..."."""

    file: str
    what: str

    def __str__(self) -> str:
        return f"{self.file}: {self.what}"


class Damaged(BadInput):
    """A file of a run directory is not what the run wrote. Nothing was changed."""


def damaged(path: Path, found: Sequence[Damage]) -> Damaged:
    """The error for a damaged run directory: a line a file and the command that keeps what is good."""
    lines = [f"{path / one.file}: {one.what}" for one in found[:SHOWN]]
    if len(found) > SHOWN:
        lines.append(f"{path}: {len(found) - SHOWN} more files are damaged")
    lines[-1] += f"; to keep what is good: staragents repair {path}"
    return Damaged(lines)
