"""`ray job submit` against a real head: readable logs, a stop that saves, a second job that resumes."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from staragents.run_directory.run_directory import RunDirectory
from staragents.text.printable import printable
from staragents.validation.loading import load_config
from tests.ray.conftest import frozen_scorers
from tests.support.local_run import decided, local_run
from tests.support.paths import FAKE, ROOT

# Ray's output between our lines.
RAYS_OWN = ("cli.py:", "cli_output_helpers", "(raylet)", "SUCC")
LATENCY_S = 0.5
STOPPING = "stopping: finishing and saving the seeds in flight"
RAY = str(Path(sys.executable).with_name("ray"))


def cursor(run_dir: Path) -> int:
    state = RunDirectory(run_dir).state()
    return int(state["cursor"]) if state else 0


def overrides(run_dir: Path, latency_s: float) -> list[str]:
    return [
        f"output.dir={run_dir}", "seeds.limit=30", "run.admitted_seeds=4", "run.checkpoint_s=0.3",
        f"models.writer.fake.latency_s={latency_s}", "models.writer.num_gpus=1",
    ]  # fmt: skip


@pytest.fixture
def ray(head: Any) -> Callable[..., str]:
    """The `ray job` command of a user beside the head."""

    def command(*arguments: str) -> str:
        done = subprocess.run(
            [RAY, "job", *arguments],
            cwd=ROOT,
            env={**os.environ, **head.environment, "RAY_API_SERVER_ADDRESS": head.dashboard},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240,
        )  # fmt: skip
        return done.stdout + done.stderr

    return command


def submit(ray: Callable[..., str], name: str, run_dir: Path, latency_s: float) -> str:
    return ray(
        "submit", "--no-wait", "--submission-id", name, "--working-dir", ".",
        "--runtime-env", "deploy/runtime_env.yaml",
        "--", sys.executable, "-m", "cluster.job", "run", "configs/fake.yaml", *overrides(run_dir, latency_s),
    )  # fmt: skip


def test_a_submitted_run_can_be_stopped_and_submitted_again(
    head: Any, tmp_path: Path, ray: Callable[..., str], start: Callable[..., Any], wait_until: Any
) -> None:
    undisturbed, run_dir = tmp_path / "undisturbed", tmp_path / "submitted"
    asyncio.run(local_run(load_config("configs/fake.yaml", overrides(undisturbed, 0.0))))
    output = submit(ray, "first", run_dir, LATENCY_S)
    assert "first" in output, output
    wait_until(lambda: cursor(run_dir) >= 4 or ended(head, "first"), "the first seeds", 300)
    assert not ended(head, "first"), logs(head, "first")
    with frozen_scorers(head.processes()) as frozen:
        assert frozen == 2
        code, output = start("scale", str(run_dir), "writer", "2", **head.environment).wait(300)
        assert code == 1
        assert "1 more replicas need 1 x 1 = 1 GPUs; 0 of 1 in the cluster are free" in output
        ray("stop", "first", "--no-wait")
        wait_until(lambda: STOPPING in logs(head, "first"), "the job to notice")
    wait_until(lambda: status(head, "first") == "STOPPED", "the job to stop", 300)
    part = cursor(run_dir)
    assert 4 <= part < 30
    assert sum(1 for _ in (run_dir / "dataset.jsonl").open()) == part, "drained, saved and written"
    first = logs(head, "first")
    check_logs(first)
    assert f"the run's name on this cluster is {RunDirectory(run_dir).name}:" in first

    submit(ray, "second", run_dir, 0.0)
    wait_until(lambda: ended(head, "second"), "the second job", 300)
    second = logs(head, "second")
    assert status(head, "second") == "SUCCEEDED", second
    check_logs(second)
    assert f"30 seeds, {part} already done" in second
    assert decided(run_dir) == decided(undisturbed)
    assert (run_dir / "dataset.jsonl").read_bytes() == (undisturbed / "dataset.jsonl").read_bytes()
    wait_until(lambda: not leftovers(head), "the actors of both jobs to be gone")


def test_relative_paths_start_where_the_command_does(
    head: Any, tmp_path: Path, start: Callable[..., Any]
) -> None:
    """The processes of the cluster begin where its head was started."""
    row = '{"instruction": "Name a long river.", "output": "The Loire is a long river in France."}\n'
    (tmp_path / "rows.jsonl").write_text(row)
    (tmp_path / "mine.j2").write_text("Rewrite: {{ instruction }}")
    settings = ["seeds.path=rows.jsonl", "output.dir=runs/x", "agents.instruction.deepen.prompt=mine.j2"]
    joined = {**head.environment, "PYTHONPATH": str(ROOT)}
    code, output = start("run", str(FAKE), *settings, "run.workers=1", cwd=tmp_path, **joined).wait(300)
    assert code == 0, output
    assert (tmp_path / "runs/x/dataset.jsonl").is_file()


def test_a_killed_driver_leaves_no_engine_behind(
    head: Any, tmp_path: Path, start: Callable[..., Any], wait_until: Any
) -> None:
    run_dir = tmp_path / "killed"
    job = start("run", "configs/fake.yaml", *overrides(run_dir, LATENCY_S), **head.environment)
    wait_until(lambda: cursor(run_dir) >= 1, "the first seeds", 300)
    assert any("ServeReplica" in name for name in alive(head))
    job.kill_group()
    wait_until(lambda: not alive(head), "engines, Serve and cleanup to be gone")


def check_logs(text: str) -> None:
    """Plain lines, readable in a pod's log."""
    ours = [line for line in text.splitlines() if not any(mark in line for mark in RAYS_OWN)]
    assert any("seeds" in line for line in ours), text
    assert "Traceback" not in text
    assert "\r" not in text
    assert [line for line in ours if printable(line) != line] == [], "control characters"


def status(head: Any, name: str) -> str:
    return str(head.get(f"/api/jobs/{name}")["status"])


def ended(head: Any, name: str) -> bool:
    return status(head, name) not in ("PENDING", "RUNNING")


def logs(head: Any, name: str) -> str:
    """What `ray job logs` shows."""
    return str(head.get(f"/api/jobs/{name}/logs")["logs"])


def leftovers(head: Any) -> list[str]:
    """Actors that are still alive, except Serve's own."""
    return [name for name in alive(head) if "Serve" not in name]


def alive(head: Any) -> list[str]:
    found = head.get("/api/v0/actors?filter_keys=state&filter_predicates=%3D&filter_values=ALIVE&limit=1000")
    return [actor["class_name"] for actor in found["data"]["result"]["result"]]
