"""Every file of the shared data, in any format, runs with no setting but its path."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from staragents.data.seed_file import SeedFile
from staragents.run_directory.run_directory import RunDirectory
from staragents.validation.loading import load_config
from tests.support.local_run import local_run
from tests.support.paths import ROOT, SHARED

pytestmark = pytest.mark.slow

FILES = sorted((SHARED / "dev").glob("*.json*"))
SEEDS = 12


def number_of_rows(path: Path) -> int:
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8-sig")
    # Some are JSONL files named .json.
    return len(json.loads(text)) if text.startswith("[") else len(text.rstrip("\n").split("\n"))


@pytest.mark.skipif(not FILES, reason="the shared data is not beside this checkout")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
async def test_a_shared_file_runs_with_no_setting_but_its_path(path: Path, tmp_path: Path) -> None:
    settings = [f"seeds.path={path}", f"output.dir={tmp_path / 'run'}", "seeds.limit=null"]
    config = load_config(ROOT / "configs/fake.yaml", settings)
    scan = SeedFile(config.seeds).scan()
    assert scan.seeds + scan.bad_rows + scan.duplicates == number_of_rows(path), "every row is accounted for"
    assert scan.seeds > number_of_rows(path) / 2
    assert sum(scan.reasons.values()) == scan.bad_rows, "every bad row has a reason"

    config.seeds.limit = SEEDS
    await local_run(config)
    run = RunDirectory(config.output.dir)
    drawn = config.evolution.draws + len(config.agents.base_pairs)
    assert [len(seed) for seed in run.seeds()] == [drawn] * SEEDS
    assert sum(1 for _ in (run.path / "dataset.jsonl").open(encoding="utf-8")) == SEEDS
