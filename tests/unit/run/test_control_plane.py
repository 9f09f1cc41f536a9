"""What `plan` says about a run's own processes and its state."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from cluster.job import cli
from staragents.config import Config
from staragents.data.seed_file import SeedFile
from staragents.evolution.policy import DrawContext, Neighbour
from staragents.run.control_plane import control_plane
from staragents.run_directory.run_directory import RunDirectory
from staragents.run_directory.run_state import first_state
from staragents.validation.loading import load_config
from tests.support.paths import FAKE


def config(*overrides: str) -> Config:
    return load_config(str(FAKE), overrides)


def test_workers_raise_the_most_that_one_coordinator_can_do() -> None:
    alone, four = (control_plane(config(f"run.workers={n}"), 1000, 3000, 100.0) for n in (0, 4))
    assert four.most_per_second > 3 * alone.most_per_second
    assert alone.coordinator_cores is not None
    assert four.coordinator_cores is not None
    assert four.coordinator_cores < alone.coordinator_cores
    # One worker can't do more than a worker can.
    one = control_plane(config("run.workers=1"), 1000, 3000, None)
    assert one.most_per_second < 0.4 * four.most_per_second


def test_without_a_rate_the_cores_are_unknown() -> None:
    found = control_plane(config(), 1000, 3000, None)
    assert found.coordinator_cores is None
    assert found.other_cores is None
    assert any("at most about" in line for line in found.lines(0))


@pytest.mark.parametrize("admitted", [64, 2048])
def test_the_size_of_the_state_is_about_that_of_a_state(tmp_path: Path, admitted: int) -> None:
    settings = config(f"output.dir={tmp_path / 'run'}", f"run.admitted_seeds={admitted}")
    seeds, shards = 1_000_000, 3_000_000 // max(512, admitted)
    pairs = list(settings.pairs)
    context = DrawContext(
        300, tuple(Neighbour(pairs[i % len(pairs)], 0.123456, 0.654321) for i in range(10)),
        {pair: 0.0123456789 for pair in pairs},
    )  # fmt: skip
    one = {
        "seed_id": "0123456789abcdef",
        "draws": [[pair, 0.123456789] for pair in pairs[: 1 + settings.evolution.draws]],
        **context.state(),
    }
    shard = {"name": "part-000000.parquet", "rows": 512, "bytes": 123456, "sha256": "0" * 64}
    scan = SeedFile(settings.seeds).scan()
    run = RunDirectory(settings.output.dir)
    run.create(settings, scan)
    run.write_state(
        {**first_state(settings, scan), "pending": [one] * admitted, "shards": [shard] * shards}  # type: ignore
    )
    size = (run.path / "run_state.json").stat().st_size
    assert control_plane(settings, seeds, 3 * seeds, None).state_bytes == pytest.approx(size, rel=0.25)


def test_plan_says_it() -> None:
    done = CliRunner().invoke(cli, ["plan", str(FAKE), "--json"], catch_exceptions=False)
    assert json.loads(done.stdout)["control_plane"]["most_per_second"] > 100
    said = CliRunner().invoke(cli, ["plan", str(FAKE)], catch_exceptions=False).stdout
    assert "control plane: at most about" in said
    assert "state: about" in said
