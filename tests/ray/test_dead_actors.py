"""Actors are killed in the middle of a run on fake engines; nothing is lost and nothing counted twice."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from rich.console import Console

from cluster.optimise import optimise
from cluster.panel import Watcher
from staragents.config import Config
from staragents.config_loading import load_config
from staragents.run_directory import RunDirectory
from tests.unit.local_run import decided, local_run

ROOT = Path(__file__).parents[2]


def fake(run_dir: Path, latency_s: float) -> Config:
    return load_config(
        str(ROOT / "configs/fake.yaml"),
        [f"output.dir={run_dir}", "seeds.limit=40", "run.admitted_seeds=4", "run.checkpoint_s=0.3",
         "memory.warmup=0", f"models.writer.fake.latency_s={latency_s}"],
    )  # fmt: skip


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The candidates of the same run without Ray."""
    config = fake(tmp_path_factory.mktemp("runs") / "undisturbed", 0.0)
    asyncio.run(local_run(config))
    return decided(config.output.dir)


def run_and_kill(run_dir: Path, class_name: str) -> tuple[dict[str, Any], list[int]]:
    """Run 40 seeds; as soon as some are committed, SIGKILL every process of that actor class once."""
    config = fake(run_dir, 0.1)
    killed: list[int] = []

    def kill() -> None:
        while not (state := RunDirectory(run_dir).state()) or state["cursor"] < 6:
            time.sleep(0.1)
        for process in psutil.Process().children(recursive=True):
            try:
                title = " ".join(process.cmdline())
            except psutil.Error:
                continue
            if title.startswith("ray::") and class_name in title:
                os.kill(process.pid, signal.SIGKILL)
                killed.append(process.pid)

    thread = threading.Thread(target=kill)
    thread.start()
    outcome = optimise(config, Watcher(Console(quiet=True), quiet=True))
    thread.join()
    return outcome.summary, killed


@pytest.mark.parametrize("class_name", ["Scorer", "CoordinatorActor", "MemoryActor", "ServeReplica"])
def test_a_killed_actor_costs_and_changes_no_candidate(
    undisturbed: list[dict[str, Any]], tmp_path: Path, class_name: str
) -> None:
    summary, killed = run_and_kill(tmp_path / "run", class_name)
    assert killed
    assert summary["funnel"]["seeds"] == 40
    assert summary["funnel"]["failed"] == {}
    assert decided(tmp_path / "run") == undisturbed
