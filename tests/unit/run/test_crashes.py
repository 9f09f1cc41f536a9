"""A run is killed before every step that changes a file; the same commands then end as without the kill.

Covers creation, checkpoints, a drain and its results, a resume with other settings, the final results, and
seeds that finish before the first.
In processes without Ray, forked after all imports.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from staragents.agents.language import load_identifier
from staragents.base.records import Candidate, Seed
from staragents.config import Config
from staragents.evolution.policy import Draw, DrawContext
from staragents.validation.loading import load_config
from tests.support.crash_points import CrashPoints
from tests.support.forks import in_a_fork
from tests.support.held_worker import HeldWorker
from tests.support.local_run import decided, drained_run, local_run

OVERRIDES = [
    "seeds.limit=3", "run.admitted_seeds=1", "run.checkpoint_s=0", "memory.warmup=0",
    "memory.neighbours=4",
]  # fmt: skip
CHANGED = ["filters.length=flag", "filters.max_words=40", "output.title=Changed", "run.attempts=4"]
DRAINED_AFTER = 1


@dataclass(frozen=True)
class Commands:
    """A user's commands: start, stop with Ctrl-C, change something and run to the end. The configs are read
    once, before the first fork."""

    config: Config
    changed: Config

    @classmethod
    def read(cls) -> Commands:
        load_identifier()  # Its own cache is not part of the run.
        return cls(
            load_config("configs/fake.yaml", OVERRIDES),
            load_config("configs/fake.yaml", [*OVERRIDES, *CHANGED]),
        )

    def start(self, folder: Path) -> None:
        asyncio.run(drained_run(_into(self.config, folder), DRAINED_AFTER))

    def finish(self, folder: Path) -> None:
        asyncio.run(local_run(_into(self.changed, folder)))


def _into(config: Config, folder: Path) -> Config:
    return replace(config, output=replace(config.output, dir=str(folder)))


def outcome(folder: Path) -> dict[str, Any]:
    return {
        "candidates": decided(folder),
        "dataset": (folder / "dataset.jsonl").read_bytes(),
        "rows": (folder / "quarantine.parquet").read_bytes(),
        "files": sorted(path.name for path in folder.iterdir()),
    }


def undisturbed(
    commands: Commands, folder: Path, drained: Path
) -> tuple[list[str], list[str], int, dict[str, Any]]:
    """The steps of all commands, files renamed unsynced, the number of steps of the first command, and the
    outcome. `drained` becomes a copy of the folder after the first command."""
    points = CrashPoints(folder, None)
    commands.start(folder)
    first = len(points.steps)
    shutil.copytree(folder, drained)
    commands.finish(folder)
    return points.steps, points.unsynced, first, outcome(folder)


def killed(command: Callable[[Path], None], folder: Path, step: int) -> None:
    CrashPoints(folder, step)
    command(folder)


def resumed(commands: Commands, folder: Path) -> dict[str, Any]:
    commands.start(folder)
    commands.finish(folder)
    return outcome(folder)


@pytest.fixture
def in_memory() -> Iterator[Path]:
    """A folder in shared memory, if the system has it. The runs of these tests sync thousands of times, and
    on a disk each would wait for it. Whether they sync before a rename is checked by `CrashPoints`."""
    shared = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(dir=shared if os.access(shared, os.W_OK) else None))
    yield folder
    shutil.rmtree(folder)


@pytest.mark.slow
def test_a_kill_before_any_write_costs_and_changes_nothing(in_memory: Path) -> None:
    commands = Commands.read()
    folder, drained = in_memory / "run", in_memory / "drained"
    resumed(commands, folder)  # what is imported, compiled and cached here, no fork has to
    shutil.rmtree(folder)
    code, found = in_a_fork(lambda: undisturbed(commands, folder, drained))
    assert code == 0
    steps, unsynced, first, whole = found
    assert unsynced == [], "a loss of power would leave these names without content"
    assert len(whole["candidates"]) == 9
    survived, wrong = [], []
    for step in range(len(steps)):
        shutil.rmtree(folder)
        if step < first:
            work = partial(killed, commands.start, folder, step)
        else:
            shutil.copytree(drained, folder)
            work = partial(killed, commands.finish, folder, step - first)
        code, _ = in_a_fork(work)
        assert code in (-signal.SIGKILL, 0), f"before {steps[step]}"
        if code == 0:
            survived.append(step)
        code, found = in_a_fork(partial(resumed, commands, folder))
        if code != 0 or found != whole:
            wrong.append(f"{step}: {steps[step]}")
    assert wrong == [], "after kills before these steps the same commands failed, or made something else"
    # The drain depends on the machine's speed, so a run may have a few steps more or fewer.
    assert len(survived) < 10
    print(
        f"{len(steps) - len(survived)} kills, one before each write of a run, a drain, a change and a resume"
    )


class Slow(HeldWorker):
    """The seed in row 3 takes long enough for another to be saved before its commit."""

    async def run(self, seed: Seed, draws: Sequence[Draw], context: DrawContext) -> list[Candidate]:
        if seed.row == 3:
            await asyncio.sleep(0.3)
        return await super().run(seed, draws, context)


@pytest.mark.slow
def test_a_kill_before_any_write_of_seeds_that_finish_early_changes_nothing(
    in_memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_identifier()
    # The first seed is slow, but not by a second.
    monkeypatch.setattr("actors.checkpoints.EARLY_EVERY_S", 0.0)
    overrides = [*OVERRIDES, "seeds.limit=4", "run.admitted_seeds=3"]
    folder = in_memory / "run"
    config = load_config("configs/fake.yaml", [*overrides, f"output.dir={folder}"])

    def first_seed_last() -> None:
        asyncio.run(local_run(config, workers=lambda make: Slow(make(), {1: {2, 3}})))

    def steps_of_a_run() -> tuple[list[str], list[str], dict[str, Any]]:
        points = CrashPoints(folder, None)
        first_seed_last()
        return points.steps, points.unsynced, outcome(folder)

    code, found = in_a_fork(steps_of_a_run)
    assert code == 0
    steps, unsynced, whole = found
    assert unsynced == []
    early = [number for number, step in enumerate(steps) if "/salvage" in step]
    assert any("os.remove" in steps[number] for number in early)

    def resume() -> dict[str, Any]:
        asyncio.run(local_run(config))
        return outcome(folder)

    wrong = []
    for step in range(early[0], early[-1] + 2):
        shutil.rmtree(folder)
        code, _ = in_a_fork(partial(killed, lambda _: first_seed_last(), folder, step))
        assert code == -signal.SIGKILL, f"before {steps[step]}"
        code, found = in_a_fork(resume)
        if code != 0 or found != whole:
            wrong.append(f"{step}: {steps[step]}")
    assert wrong == []
