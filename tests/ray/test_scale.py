"""Pools are resized and watched from another process during a run on fake engines."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from staragents.run_directory.run_directory import RunDirectory
from staragents.validation.loading import load_config
from tests.ray.conftest import frozen_scorers
from tests.support.local_run import decided, local_run

FAKE = "configs/fake.yaml"
SEEDS = 30


def cursor(run_dir: Path) -> int:
    state = RunDirectory(run_dir).state()
    return int(state["cursor"]) if state else 0


def overrides(run_dir: Path, latency_s: float) -> list[str]:
    return [
        f"output.dir={run_dir}", f"seeds.limit={SEEDS}", "run.admitted_seeds=4", "run.checkpoint_s=0.3",
        "models.writer.max_num_seqs=4", "models.writer.max_replicas=1", "scoring.batch_tokens=64",
        f"models.writer.fake.latency_s={latency_s}",
    ]  # fmt: skip


def status(ask: Callable[..., tuple[int, str]], run_dir: Path) -> dict[str, Any]:
    code, output = ask("status", str(run_dir), "--json")
    assert code == 0, output
    return json.loads(output)


@pytest.fixture
def ask(start: Callable[..., Any]) -> Callable[..., tuple[int, str]]:
    def command(*arguments: str) -> tuple[int, str]:
        code, output = start(*arguments).wait(300)
        assert "Traceback" not in output, output
        return code, output

    return command


def test_pools_are_resized_and_paused_during_a_run_and_the_dataset_is_the_same(
    tmp_path: Path, start: Callable[..., Any], ask: Callable[..., tuple[int, str]], wait_until: Any
) -> None:
    undisturbed, run_dir = tmp_path / "undisturbed", tmp_path / "scaled"
    asyncio.run(local_run(load_config(FAKE, overrides(undisturbed, 0.0))))
    job = start("run", FAKE, *overrides(run_dir, 0.5))
    wait_until(lambda: cursor(run_dir) >= 2, "the first seeds", 300)

    # Frozen scorers let rows pile up as slow ones would.
    with frozen_scorers(job.processes()) as frozen:
        assert frozen == 2
        watcher = start("status", str(run_dir), "--watch", "--every", "0.5", "--json")
        assert ask("scale", str(run_dir), "target", "1:2") == (0, "scoring.target: 1:2\n")
        assert any(json.loads(line)["scorers"]["target"] == 2 for line in watcher.process.stdout)
        watcher.kill_group()
        assert ask("scale", str(run_dir), "writer", "0") == (0, "models.writer: 0\n")

    paused_at = cursor(run_dir)
    assert ask("scale", str(run_dir), "target", "3") == (0, "scoring.target: 3\n")

    paused = status(ask, run_dir)
    assert paused["live"]
    assert paused["pools"]["models.writer"] == {"min": 0, "max": 0}
    assert paused["pools"]["scoring.target"] == {"min": 3, "max": 3}
    assert paused["scorers"] == {"target": 3, "larger": 1}
    # Seeds in flight when the pool was paused may still be committed, nothing beyond them.
    assert paused["seeds"] <= paused_at + 4 < SEEDS

    # Without scorers, the rows of new answers wait.
    assert ask("scale", str(run_dir), "target", "0") == (0, "scoring.target: 0\n")
    assert ask("scale", str(run_dir), "models.writer", "3") == (0, "models.writer: 3\n")
    assert ask("scale", str(run_dir), "target", "1") == (0, "scoring.target: 1\n")
    before = cursor(run_dir)
    wait_until(lambda: cursor(run_dir) > before + 3, "work after the pause", 300)
    with frozen_scorers(job.processes()):  # so that the run can't end meanwhile
        assert ask("scale", str(run_dir), "writer", "1") == (0, "models.writer: 1\n")
    code, output = job.wait()
    assert code == 0, output
    assert "models.writer now has 3 replicas" in output
    assert "scoring.target now has 2 replicas, by load" in output
    assert decided(run_dir) == decided(undisturbed)
    assert (run_dir / "dataset.jsonl").read_bytes() == (undisturbed / "dataset.jsonl").read_bytes()
    assert job.left_over() == []

    code, output = ask("status", str(run_dir))
    assert code == 0
    assert output.startswith(f"finished | seeds {SEEDS}/{SEEDS} | candidates ")
