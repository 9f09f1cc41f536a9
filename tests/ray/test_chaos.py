"""One run on three nodes is disturbed in ten ways, once each; benchmarks/chaos.py does it for an hour."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

from benchmarks.faults.comparison import damage
from benchmarks.faults.job import settings
from benchmarks.pipeline import many_seeds
from staragents.run_directory.run_directory import RunDirectory
from staragents.run_directory.shard_file import read_candidates
from staragents.validation.loading import load_config
from tests.support.local_run import decided, local_run
from tests.support.paths import ROOT

SEEDS = 60
KINDS = (
    "replica", "scorer", "worker", "memory", "coordinator", "raylet", "driver",
    "rival", "results", "shard-damaged",
)  # fmt: skip


def test_disturbances_of_ten_kinds_cost_and_change_nothing(tmp_path: Path) -> None:
    undisturbed = tmp_path / "undisturbed"
    overrides = settings(many_seeds(tmp_path, SEEDS), 0.0)
    asyncio.run(local_run(load_config("configs/fake.yaml", [*overrides, f"output.dir={undisturbed}"])))
    done = subprocess.run(
        [
            sys.executable, "benchmarks/chaos.py", f"--kills={len(KINDS)}", "--seed=2", "--pause-s=0.2",
            *(f"--only={kind}" for kind in KINDS), f"--seeds={SEEDS}", "--latency-s=0.5",
            f"--undisturbed={undisturbed}", f"--keep={tmp_path / 'chaos'}", "--json",
        ],
        cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=860,
    )  # fmt: skip
    result = json.loads(done.stdout or "{}")
    assert done.returncode == 0, done.stderr[-4000:]
    assert result["victims"].keys() == set(KINDS)
    assert {(row["kills"], row["recovered"]) for row in result["victims"].values()} == {(1, 1)}
    assert not any(any(run.values()) for run in result["runs"])
    assert decided(tmp_path / "chaos" / "run-1") == decided(undisturbed)


def test_damage_is_seen(tmp_path: Path) -> None:
    """What the benchmark reports if a run lost, duplicated or changed something."""
    overrides = [*settings(many_seeds(tmp_path, 12), 0.0), "run.checkpoint_s=600"]
    whole, damaged = tmp_path / "whole", tmp_path / "damaged"
    for run in (whole, damaged):
        asyncio.run(local_run(load_config("configs/fake.yaml", [*overrides, f"output.dir={run}"])))
    assert damage(damaged, whole) == {"lost": 0, "twice": 0, "changed": 0, "dataset": 0}

    run = RunDirectory(damaged)
    (shard,) = run.shards()
    rows = list(read_candidates(shard))
    lost = rows[-1].seed_id
    kept = [row for row in rows if row.seed_id != lost]
    kept[0].reward = -1.0
    run.write_shard(shard.name, [*kept, kept[1]])
    (damaged / "dataset.jsonl").unlink()
    gone = len(rows) - len(kept)
    assert damage(damaged, whole) == {"lost": 1, "twice": 1, "changed": gone + 1, "dataset": 1}
