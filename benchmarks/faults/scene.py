"""The context of a disturbance of several steps."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .comparison import damage
from .disk import SmallDisk
from .job import ChaosJob, WrongEnd

if TYPE_CHECKING:  # imports Ray, which reads its environment at import
    from .cluster import ChaosCluster

SHORT_SEEDS = 24


class ShortRuns:
    """Runs with few seeds, for disturbances that need a separate Ray."""

    def __init__(self, folder: Path, overrides: Sequence[str], address: str) -> None:
        self.overrides = [*overrides, f"seeds.limit={SHORT_SEEDS}"]
        self._folder, self._address = folder, address
        self._undisturbed: Path | None = None

    def fresh(self) -> Path:
        """A path for another short run."""
        number = 1
        while (path := self._folder / f"short-{number}").with_suffix(".log").exists():
            number += 1
        return path

    def compare(self, path: Path) -> None:
        """Raises WrongEnd if the run differs from the undisturbed one, which the first call runs."""
        if self._undisturbed is None:
            self._undisturbed = undisturbed(self._folder / "short-undisturbed", self.overrides, self._address)
        if any((found := damage(path, self._undisturbed)).values()):
            raise WrongEnd(f"{path.name} differs from the undisturbed run: {found}")


def undisturbed(path: Path, overrides: Sequence[str], address: str) -> Path:
    """The baseline: the same run with engines of zero latency. Raises WrongEnd."""
    overrides = [*overrides, "models.writer.fake.latency_s=0"]
    job = ChaosJob(path, overrides, {"RAY_ADDRESS": address}, path.with_suffix(".log"))
    job.must_end(0)
    return path


@dataclass
class Scene:
    """The current run and its surroundings."""

    cluster: ChaosCluster
    disk: SmallDisk
    job: ChaosJob
    short: ShortRuns
    rng: random.Random


@dataclass(frozen=True)
class Struck:
    """What was disturbed. `recovery_s` None: recovery ends with the next commit of the run."""

    who: str
    recovery_s: float | None = None


Episode = Callable[[Scene], Struck | None]
"""Disturb and check; returns None if there was nothing to disturb. Raises WrongEnd if a command does not end
as it must."""
