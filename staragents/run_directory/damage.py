"""Damage to files of a run directory, and the message about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from staragents.base.errors import BadInput

SHOWN = 5


@dataclass(frozen=True, slots=True)
class Damage:
    """`file` is relative to the run directory; `what` completes "FILE: ..."."""

    file: str
    what: str


class Damaged(BadInput):
    """A file of a run directory differs from what the run wrote. Nothing was changed."""


def damaged(path: Path, found: Sequence[Damage]) -> Damaged:
    """The error for a damaged run directory: one line per file, and the repair command."""
    lines = [f"{path / one.file}: {one.what}" for one in found[:SHOWN]]
    if len(found) > SHOWN:
        lines.append(f"{path}: {len(found) - SHOWN} more files are damaged")
    lines[-1] += f"; to keep the undamaged files: staragents repair {path}"
    return Damaged(lines)
