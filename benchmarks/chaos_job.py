"""A run as a user starts it, killed and started again; and what became of it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from staragents.run_directory.run_directory import RunDirectory

ROOT = Path(__file__).parents[1]
TIMING = {"seconds", "stage_seconds"}


class ChaosJob:
    """The command `run` on a run directory of its own; the same command goes on after a kill."""

    def __init__(self, path: Path, overrides: Sequence[str], address: str) -> None:
        self.run = RunDirectory(path)
        self.log = path.with_suffix(".log")
        self._overrides = overrides
        self._environment = {**os.environ, "RAY_ADDRESS": address}
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "cluster.job", "run", "configs/fake.yaml"]
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [*command, *self._overrides, f"output.dir={self.run.path}"],
                cwd=ROOT, env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def restart(self) -> str:
        """SIGKILL the command and repeat it; says which process is gone."""
        gone = self.process.pid
        self.process.kill()
        self.process.wait()
        self.start()
        return f"process {gone}"

    def cursor(self) -> int:
        """Seeds committed and saved."""
        state = self.run.state()
        return int(state["cursor"]) if state is not None else 0

    def last_line(self) -> str:
        return (self.log.read_text().strip().splitlines() or ["no output"])[-1]


def settings(seeds: Path, latency_s: float) -> list[str]:
    """Over configs/fake.yaml: two of every pool, memory and frequent checkpoints from the start."""
    return [
        f"seeds.path={seeds}", "seeds.limit=null", "run.checkpoint_s=0.3", "memory.warmup=0",
        f"models.writer.fake.latency_s={latency_s}", "models.writer.num_gpus=1",
        "models.writer.min_replicas=2", "models.writer.max_replicas=2", "scoring.target.replicas=2",
        "run.workers=2",
    ]  # fmt: skip


def damage(path: Path, undisturbed: Path) -> dict[str, int]:
    """What differs between two runs of one config, by number; all 0 if nothing does.

    `lost` seeds, candidates committed `twice`, `changed` candidates (what a clock measured aside), and 1 for
    another `dataset`.
    """
    rows, expected = _rows(path), _rows(undisturbed)
    seeds = {row["seed_id"] for row in rows}
    found = {row["candidate_id"]: row for row in rows}
    counted = Counter(row["candidate_id"] for row in rows)
    return {
        "lost": len({row["seed_id"] for row in expected} - seeds),
        "twice": sum(number - 1 for number in counted.values()),
        "changed": sum(found.get(row["candidate_id"]) != row for row in expected)
        + len(found.keys() - {row["candidate_id"] for row in expected}),
        "dataset": int(_dataset(path) != _dataset(undisturbed)),
    }


def _rows(path: Path) -> list[dict[str, Any]]:
    return [
        {name: getattr(candidate, name) for name in candidate.__slots__ if name not in TIMING}
        for seed in RunDirectory(path).seeds()
        for candidate in seed
    ]


def _dataset(path: Path) -> bytes | None:
    file = path / "dataset.jsonl"
    return file.read_bytes() if file.exists() else None
