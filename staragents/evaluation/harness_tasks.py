"""The tasks of lm-evaluation-harness on which students are scored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class HarnessTasks:
    """Checked tasks. `fingerprints`: by name, in the order in which they were asked for, of everything that
    determines a student's score. `files`: by name of a task, its file, which may be relative to the harness's
    own; groups have none. `folder`: further task files, an absolute path. `limit`: rows a task."""

    fingerprints: Mapping[str, str]
    files: Mapping[str, str] = field(default_factory=dict)
    folder: str | None = None
    limit: int | None = None

    @property
    def names(self) -> list[str]:
        return list(self.fingerprints)

    def only(self, names: Iterable[str]) -> HarnessTasks | None:
        """These tasks; None for no name."""
        kept = {name: self.fingerprints[name] for name in names}
        return replace(self, fingerprints=kept) if kept else None
