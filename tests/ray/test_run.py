"""Whole runs on fake engines that think: the contract of the run directory, thoughts, kills, interrupts."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from staragents.analysis.explanation import Explanation
from staragents.run_directory.run_directory import RunDirectory
from staragents.validation.loading import load_config
from tests.ray.conftest import Job, started_jobs, wait_until
from tests.support.local_run import decided, local_run

CONTRACT = {
    "config.yaml",
    "candidates",
    "dataset.parquet",
    "dataset.jsonl",
    "quarantine.parquet",
    "run_state.json",
    "summary.json",
    "report.html",
    "README.md",
    "manifest.json",
}
FAKE = "configs/fake.yaml"
THINKS = ("models.writer.fake.thinks=true", "models.judge.fake.thinks=true")


def cursor(run_dir: Path) -> int:
    state = RunDirectory(run_dir).state()
    return int(state["cursor"]) if state else 0


def overrides(run_dir: Path, *more: str) -> list[str]:
    return [
        f"output.dir={run_dir}", "seeds.limit=40", "run.admitted_seeds=4", "memory.warmup=0", *THINKS, *more,
    ]  # fmt: skip


SLOW = ("models.writer.fake.latency_s=0.15", "run.checkpoint_s=0.3")


@dataclass
class End:
    """How a command that was stopped, or the last one, ended."""

    code: int
    output: str
    committed: int
    left_over: list[str]
    dataset_rows: int

    @classmethod
    def of(cls, job: Job, run_dir: Path) -> End:
        code, output = job.wait()
        rows = sum(1 for _ in (run_dir / "dataset.jsonl").open())
        return cls(code, output, cursor(run_dir), job.left_over(), rows)


@pytest.fixture(scope="module")
def ends() -> list[End]:
    """Ends of the commands of `disturbed`: after Ctrl-C, after SIGKILL, and of the last one."""
    return []


@pytest.fixture(scope="module")
def disturbed(tmp_path_factory: pytest.TempPathFactory, ends: list[End]) -> Iterator[Path]:
    """A run that was interrupted, resumed, killed and resumed, and then finished."""
    run_dir = tmp_path_factory.mktemp("runs") / "disturbed"
    command = ("run", FAKE, *overrides(run_dir, *SLOW))
    with started_jobs() as start:
        for seeds, disturb in ((4, Job.interrupt), (16, Job.kill_group)):
            job = start(*command)
            wait_until(lambda seeds=seeds: cursor(run_dir) >= seeds, f"{seeds} committed seeds")  # type: ignore[misc]
            disturb(job)
            ends.append(End.of(job, run_dir))
        ends.append(End.of(start(*command), run_dir))
        assert ends[-1].code == 0, ends[-1].output
        assert ends[-1].left_over == []
        yield run_dir


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run in this process, without Ray."""
    run_dir = tmp_path_factory.mktemp("runs") / "undisturbed"
    asyncio.run(local_run(load_config(FAKE, overrides(run_dir))))
    return run_dir


def test_a_run_leaves_every_file_of_the_contract_and_says_fake(disturbed: Path) -> None:
    assert {path.name for path in disturbed.iterdir()} >= CONTRACT
    assert not list(disturbed.rglob("*.tmp"))
    summary = json.loads((disturbed / "summary.json").read_text())
    assert summary["engine"] == "fake"
    assert "fake" in (disturbed / "report.html").read_text().lower()
    assert "fake" in (disturbed / "README.md").read_text().lower()


def test_the_funnel_adds_up(disturbed: Path) -> None:
    summary = json.loads((disturbed / "summary.json").read_text())
    funnel, found = summary["funnel"], decided(disturbed)
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


def test_a_replay_reproduces_the_propensities_of_every_draw(disturbed: Path) -> None:
    config = load_config(str(disturbed / "config.yaml"), [])
    called = config.evolution.draws + len(config.agents.base_pairs)
    rows = {row["seed_row"] for row in decided(disturbed)}
    assert len(rows) == 40
    for row in sorted(rows):
        found = Explanation.of(disturbed, str(row))
        assert found.reproduced, f"row {row}"
        assert sum(found.probabilities.values()) == pytest.approx(called)
        assert all(one.propensity == 1.0 for one in found.candidates if one.base)


def test_models_that_think_write_no_thought_into_a_text(disturbed: Path, ends: list[End]) -> None:
    summary = json.loads((disturbed / "summary.json").read_text())
    assert summary["fake"]
    assert summary["cost"]["stages"]["answer"]["reasoning_tokens"] > 0
    assert summary["cost"]["stages"]["judge"]["reasoning_tokens"] > 0
    assert f"{summary['cost']['reasoning_tokens']:,} of " in ends[2].output
    rows = [json.loads(line) for line in (disturbed / "dataset.jsonl").open()]
    assert any(row["source"] == "candidate" for row in rows)
    for row in rows:
        assert "think>" not in json.dumps(row)
        assert row["messages"][-1]["content"].count("[fake]") <= 1
    candidates = pq.read_table(disturbed / "candidates").to_pylist()
    assert all(dict(row["stage_tokens"])["answer.reasoning"] > 0 for row in candidates if row["messages"])


def test_the_dataset_loads_with_datasets(disturbed: Path, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    loaded = datasets.load_dataset(
        "json", data_files=str(disturbed / "dataset.jsonl"), split="train", cache_dir=str(tmp_path)
    )
    assert len(loaded) == 40
    assert all(row["messages"][-1]["role"] == "assistant" for row in loaded)


def test_stopped_runs_resume_to_the_undisturbed_decisions(disturbed: Path, undisturbed: Path) -> None:
    assert decided(disturbed) == decided(undisturbed)
    datasets = [(folder / "dataset.jsonl").read_bytes() for folder in (disturbed, undisturbed)]
    assert datasets[0] == datasets[1]


def test_ctrl_c_saves_the_seeds_in_flight_and_writes_results(disturbed: Path, ends: list[End]) -> None:
    stop = ends[0]
    assert stop.code == 130, stop.output
    assert "run the same command to resume" in stop.output
    assert 4 <= stop.committed < 40
    assert stop.dataset_rows == stop.committed
    assert stop.left_over == []


def test_a_killed_run_leaves_no_process(disturbed: Path, ends: list[End]) -> None:
    stop = ends[1]
    assert stop.code == -signal.SIGKILL
    assert 16 <= stop.committed < 40
    assert stop.left_over == []


def test_a_run_with_broken_engines_stops_with_the_reason(tmp_path: Path, start: Callable[..., Any]) -> None:
    run_dir = tmp_path / "broken"
    job = start("run", FAKE, *overrides(run_dir, "models.writer.fake.failure_rate=1", "run.attempts=1"))
    code, output = job.wait()
    assert code == 1, output
    assert len(decided(run_dir)) >= 20, "what was finished before the stop is saved"
    assert "run.max_error_rate" in output
    assert "Traceback" not in output
    assert job.left_over() == []


def test_another_config_does_not_touch_a_finished_run(disturbed: Path, start: Callable[..., Any]) -> None:
    before = (disturbed / "run_state.json").read_bytes()
    code, output = start("run", FAKE, *overrides(disturbed, *SLOW, "run.seed=5")).wait()
    assert code == 2, output
    assert "run.seed" in output
    assert (disturbed / "run_state.json").read_bytes() == before


def test_a_finished_run_is_not_run_again(disturbed: Path, start: Callable[..., Any]) -> None:
    before = (disturbed / "run_state.json").stat().st_mtime_ns
    code, output = start("run", FAKE, *overrides(disturbed, *SLOW)).wait()
    assert code == 0, output
    assert "already finished" in output
    assert (disturbed / "run_state.json").stat().st_mtime_ns == before
