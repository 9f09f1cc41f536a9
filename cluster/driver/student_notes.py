"""Notes that students leave with Ray when they begin, so that their driver knows which ones run."""

from __future__ import annotations

import uuid

import ray

from actors.clean_up import quietly
from actors.ray_internals import is_over, notes, remove_notes

FOLDER = "students/"


class StudentNotes:
    """The notes of one command. Needs a connection to Ray."""

    def __init__(self) -> None:
        """Also removes the notes of drivers that were killed, which a cluster would keep."""
        self._prefix = f"{FOLDER}{ray.get_runtime_context().get_job_id()}/{uuid.uuid4().hex}/"
        quietly(_remove_old)

    def new(self) -> str:
        """A name for a note."""
        return f"{self._prefix}{uuid.uuid4().hex}"

    def left(self) -> set[str]:
        """The names of the notes that are there."""
        return notes(self._prefix)

    def remove(self) -> None:
        quietly(remove_notes, self._prefix)


def _remove_old() -> None:
    for job in {name.split("/")[1] for name in notes(FOLDER)}:
        if is_over(job):
            remove_notes(f"{FOLDER}{job}/")
