"""Progress of a plan, saved after every kill, so that the same command resumes it."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .plan import Kill

FILE = "progress.json"


@dataclass
class Progress:
    """`done` in order of execution, `todo` in order of the plan. `runs`: damage of each finished run.
    `broken`: number of abandoned runs."""

    path: Path
    settings: dict[str, Any]
    todo: list[Kill]
    done: list[Kill] = field(default_factory=list)
    runs: list[dict[str, int]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    broken: int = 0
    seconds: float = 0.0
    _since: float = field(default_factory=time.monotonic)

    @classmethod
    def load(cls, folder: Path) -> Progress | None:
        """The saved progress, or None. Kills that the run had not recovered from are done again."""
        try:
            saved = json.loads((folder / FILE).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        done = [Kill(**kill) for kill in saved.pop("done")]
        again = [Kill(kill.kind, kill.pause_s, salvo=False) for kill in done if kill.recovery_s is None]
        left = [Kill(**kill) for kill in saved.pop("todo")]
        if left:
            left[0].salvo = False  # the rest of its salvo is done
        todo = again + left
        return cls(folder, todo=todo, done=[kill for kill in done if kill.recovery_s is not None], **saved)

    @property
    def elapsed_s(self) -> float:
        """Total over all sessions."""
        return self.seconds + time.monotonic() - self._since

    @property
    def pace(self) -> str:
        """For example `kill 20 of 1000, about 68 min left`."""
        total = len(self.done) + len(self.todo)
        left_s = self.elapsed_s / max(len(self.done), 1) * len(self.todo)
        return f"kill {len(self.done)} of {total}, about {left_s / 60:.0f} min left"

    def save(self) -> None:
        saved = {name: getattr(self, name) for name in ("settings", "runs", "broken", "failures", "skipped")}
        saved["seconds"] = round(self.elapsed_s, 1)
        saved["todo"], saved["done"] = ([asdict(kill) for kill in kills] for kills in (self.todo, self.done))
        temporary = self.path / f".{FILE}.tmp"
        temporary.write_text(json.dumps(saved, indent=1), encoding="utf-8")
        os.replace(temporary, self.path / FILE)
