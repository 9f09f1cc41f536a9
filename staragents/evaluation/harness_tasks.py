"""The tasks of lm-evaluation-harness on which students are scored."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from staragents.base.digest import digest_of
from staragents.base.errors import BadInput
from staragents.evaluation.packages import check_harness


@dataclass(frozen=True, slots=True)
class HarnessTasks:
    """Checked tasks. `fingerprints`: by name, in the order in which they were asked for, of everything that
    determines a student's score. `files`: by name of a task, its file, which may be relative to the harness's
    own; groups have none. `folder`: further task files, an absolute path. `limit`: rows a task.
    `thought_end`: the token of the students up to which a task does not read what they write."""

    fingerprints: Mapping[str, str]
    files: Mapping[str, str] = field(default_factory=dict)
    folder: str | None = None
    limit: int | None = None
    thought_end: int | None = None

    @property
    def names(self) -> list[str]:
        return list(self.fingerprints)

    def check_here(self) -> None:
        """Raises BadInput if this machine lacks the package or the user's task files."""
        check_harness()
        paths = [Path(file) for file in self.files.values()]
        for path in ([] if self.folder is None else [Path(self.folder)]) + paths:
            if path.is_absolute() and not path.exists():
                raise BadInput(
                    f"--tasks-folder: expected {path} on {socket.gethostname()}, found nothing: tasks must "
                    "lie where all nodes have them"
                )

    def after_thoughts(self, end: int | None) -> HarnessTasks:
        """The tasks for students that end their thoughts with the token `end`; unchanged without one."""
        if end is None:
            return self
        prints = {name: digest_of([one, end]) for name, one in self.fingerprints.items()}
        return replace(self, fingerprints=prints, thought_end=end)

    def only(self, names: Iterable[str]) -> HarnessTasks | None:
        """These tasks; None for no name."""
        kept = {name: self.fingerprints[name] for name in names}
        return replace(self, fingerprints=kept) if kept else None
