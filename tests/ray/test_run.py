"""Whole runs on fake engines: the contract of the run directory, kills, interrupts, dead actors."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from staragents.run_directory import RunDirectory

CONTRACT = {
    "config.yaml",
    "candidates",
    "dataset.parquet",
    "dataset.jsonl",
    "quarantine.parquet",
    "state.json",
    "summary.json",
    "report.html",
    "README.md",
}
TIMING = {"seconds", "stage_seconds"}
FAKE = "configs/fake.yaml"


def rows(run_dir: Path) -> list[dict[str, Any]]:
    """All candidates without what a clock measured."""
    found = []
    for shard in RunDirectory(run_dir).shards():
        for row in pq.read_table(shard).to_pylist():
            found.append({name: value for name, value in row.items() if name not in TIMING})
    return found


def cursor(run_dir: Path) -> int:
    state = RunDirectory(run_dir).state()
    return int(state["cursor"]) if state else 0


def overrides(run_dir: Path, *more: str) -> list[str]:
    return [f"output.dir={run_dir}", "seeds.limit=40", "run.admitted_seeds=4", "memory.warmup=0", *more]


SLOW = ("models.writer.fake.latency_s=0.15", "run.checkpoint_s=0.3")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One finished run that the disturbed ones are compared with."""
    import subprocess
    import sys

    run_dir = tmp_path_factory.mktemp("runs") / "undisturbed"
    root = Path(__file__).parents[2]
    subprocess.run(
        [sys.executable, "-m", "cluster.job", "run", FAKE, *overrides(run_dir, *SLOW)],
        cwd=root, check=True, timeout=300, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return run_dir


def test_a_run_leaves_every_file_of_the_contract_and_says_fake(undisturbed: Path) -> None:
    assert {path.name for path in undisturbed.iterdir()} >= CONTRACT
    assert not list(undisturbed.rglob("*.tmp"))
    summary = json.loads((undisturbed / "summary.json").read_text())
    assert summary["engine"] == "fake"
    assert "fake" in (undisturbed / "report.html").read_text().lower()
    assert "fake" in (undisturbed / "README.md").read_text().lower()


def test_the_funnel_adds_up_and_propensities_sum_to_the_draws(undisturbed: Path) -> None:
    summary = json.loads((undisturbed / "summary.json").read_text())
    funnel, found = summary["funnel"], rows(undisturbed)
    by_seed: dict[str, list[dict[str, Any]]] = {}
    for row in found:
        by_seed.setdefault(row["seed_id"], []).append(row)
    assert funnel["seeds"] == len(by_seed) == 40
    assert funnel["drawn"] == len(found)
    assert funnel["drawn"] >= funnel["generated"] >= funnel["judged"] >= funnel["accepted"] > 0
    assert funnel["accepted"] + funnel["kept_seed"] == 40
    assert len({row["candidate_id"] for row in found}) == len(found)
    for candidates in by_seed.values():
        assert sum(row["selected"] for row in candidates) <= 1
        assert all(row["propensity"] == 1.0 for row in candidates if row["base"])
        assert all(0 < row["propensity"] <= 1 for row in candidates)


def test_the_dataset_loads_with_datasets(undisturbed: Path, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    loaded = datasets.load_dataset(
        "json", data_files=str(undisturbed / "dataset.jsonl"), split="train", cache_dir=str(tmp_path)
    )
    assert len(loaded) == 40
    assert all(row["messages"][-1]["role"] == "assistant" for row in loaded)


def test_a_killed_run_resumes_to_the_same_candidates(
    undisturbed: Path, tmp_path: Path, start: Callable[..., Any], wait_until: Any
) -> None:
    run_dir = tmp_path / "killed"
    job = start("run", FAKE, *overrides(run_dir, *SLOW))
    wait_until(lambda: cursor(run_dir) >= 8, "a checkpoint")
    job.kill_group()
    assert 0 < cursor(run_dir) < 40
    assert job.left_over() == []
    code, output = start("run", FAKE, *overrides(run_dir, *SLOW)).wait()
    assert code == 0, output
    assert rows(run_dir) == rows(undisturbed)


def test_decisions_do_not_depend_on_how_many_requests_are_out_or_who_answers_first(
    undisturbed: Path, tmp_path: Path, start: Callable[..., Any]
) -> None:
    """The undisturbed run has up to 64 requests out, and another order of answers."""
    pools = ("models.writer.max_replicas=1", "models.writer.max_num_seqs=4")
    latency = "models.writer.fake.latency_s=0.02"
    code, output = start("run", FAKE, *overrides(tmp_path / "run", *pools, latency)).wait()
    assert code == 0, output
    assert rows(tmp_path / "run") == rows(undisturbed)
    dataset = [(folder / "dataset.jsonl").read_bytes() for folder in (tmp_path / "run", undisturbed)]
    assert dataset[0] == dataset[1]


def test_ctrl_c_saves_and_the_same_command_goes_on(
    undisturbed: Path, tmp_path: Path, start: Callable[..., Any], wait_until: Any
) -> None:
    run_dir = tmp_path / "interrupted"
    job = start("run", FAKE, *overrides(run_dir, *SLOW))
    wait_until(lambda: cursor(run_dir) >= 4, "a checkpoint")
    job.interrupt()
    code, output = job.wait()
    assert code == 130, output
    assert job.left_over() == []
    part = cursor(run_dir)
    assert 4 <= part < 40
    assert sum(1 for _ in (run_dir / "dataset.jsonl").open()) == part
    code, output = start("run", FAKE, *overrides(run_dir, *SLOW)).wait()
    assert code == 0, output
    assert rows(run_dir) == rows(undisturbed)


def test_failing_requests_are_retried_and_what_still_fails_is_quarantined(
    tmp_path: Path, start: Callable[..., Any]
) -> None:
    run_dir = tmp_path / "flaky"
    job = start(
        "run", FAKE, *overrides(run_dir, "models.writer.fake.failure_rate=0.4", "run.max_error_rate=1")
    )
    code, output = job.wait()
    assert code == 0, output
    found = rows(run_dir)
    failed = [row for row in found if row["failed_stage"]]
    assert failed
    assert len(failed) < len(found)
    quarantine = pq.read_table(run_dir / "quarantine.parquet").to_pylist()
    assert {row["id"] for row in quarantine} >= {row["candidate_id"] for row in failed}
    assert job.left_over() == []


def test_a_run_whose_engines_are_broken_stops_with_the_reason(
    tmp_path: Path, start: Callable[..., Any]
) -> None:
    run_dir = tmp_path / "broken"
    job = start("run", FAKE, *overrides(run_dir, "models.writer.fake.failure_rate=1", "run.attempts=1"))
    code, output = job.wait()
    assert code == 1, output
    assert len(rows(run_dir)) >= 20, "what was finished before the stop is saved"
    assert "run.max_error_rate" in output
    assert "Traceback" not in output
    assert job.left_over() == []


def test_another_config_does_not_touch_a_finished_run(undisturbed: Path, start: Callable[..., Any]) -> None:
    before = (undisturbed / "state.json").read_bytes()
    code, output = start("run", FAKE, *overrides(undisturbed, *SLOW, "run.seed=5")).wait()
    assert code == 2, output
    assert "run.seed" in output
    assert (undisturbed / "state.json").read_bytes() == before


def test_a_finished_run_is_not_run_again(undisturbed: Path, start: Callable[..., Any]) -> None:
    before = (undisturbed / "state.json").stat().st_mtime_ns
    code, output = start("run", FAKE, *overrides(undisturbed, *SLOW)).wait()
    assert code == 0, output
    assert "finished already" in output
    assert (undisturbed / "state.json").stat().st_mtime_ns == before
