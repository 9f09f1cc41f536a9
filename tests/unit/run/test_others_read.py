"""What other programs, and later versions, read from a run directory."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from staragents.analysis.saved_run import SavedRun
from staragents.config import Config, SeedsConfig
from staragents.data.seed_file import SeedFile
from staragents.export.exporter import export
from staragents.run.inspection import inspect
from staragents.run.work import Left, work_of
from staragents.run_directory.manifest import (
    EARLIER_STATE,
    MANIFEST,
    STATE,
    Manifest,
    read_manifest,
)
from staragents.run_directory.run_directory import RunDirectory
from staragents.run_directory.sealed_json import write_sealed
from staragents.validation.loading import load_config
from tests.support.local_run import decided, drained_run, local_run
from tests.support.paths import FAKE

SEEDS = 12


def config_for(folder: Path) -> Config:
    settings = [f"seeds.limit={SEEDS}", "run.checkpoint_s=0", "run.admitted_seeds=3", "memory.warmup=0"]
    config = load_config(FAKE, settings)
    return replace(config, output=replace(config.output, dir=str(folder)))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "whole"
    asyncio.run(local_run(config_for(folder)))
    return folder


def rows_of(path: Path) -> list[str]:
    return [json.loads(line)["messages"][-1]["content"] for line in path.open(encoding="utf-8")]


def as_before(folder: Path) -> None:
    """The state's name up to version 0.1.0, in its place and in the manifest."""
    os.replace(folder / STATE, folder / EARLIER_STATE)
    manifest: Manifest | None = read_manifest(folder)
    if manifest is not None:
        manifest["files"][EARLIER_STATE] = manifest["files"].pop(STATE)
        write_sealed(folder / MANIFEST, dict(manifest))


def test_datasets_loads_a_finished_run(whole: Path, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    loaded = datasets.load_dataset(str(whole), cache_dir=str(tmp_path))
    assert list(loaded) == ["train"]
    assert [row["messages"][-1]["content"] for row in loaded["train"]] == rows_of(whole / "dataset.jsonl")


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_datasets_loads_a_folder_of_exports_with_its_splits(whole: Path, tmp_path: Path, suffix: str) -> None:
    datasets = pytest.importorskip("datasets")
    done = export(SavedRun.of(whole), "messages", tmp_path / "export" / f"train{suffix}", validation=0.3)
    loaded = datasets.load_dataset(str(tmp_path / "export"), cache_dir=str(tmp_path / "cache"))
    assert {split: loaded[split].num_rows for split in loaded} == {
        split: rows for split, (_, rows) in done.files.items()
    }


def test_the_folder_of_a_run_as_seeds_means_its_dataset(whole: Path) -> None:
    file = SeedFile(SeedsConfig(path=str(whole)))
    scan = file.scan()
    assert [seed.response for seed in file.seeds()] == rows_of(whole / "dataset.jsonl")
    assert scan.bad_rows == 0
    assert "reads dataset.parquet, as its README.md says, not " in scan.notes[0]


def test_a_finished_run_of_the_last_version_is_finished(whole: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    as_before(run)
    config = config_for(run)
    assert inspect(RunDirectory(run)) == []
    assert work_of(config, SeedFile(config.seeds).scan()).left is Left.nothing
    RunDirectory(run).discard()
    assert not (run / EARLIER_STATE).exists()


def test_a_stopped_run_of_the_last_version_resumes(whole: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    asyncio.run(drained_run(config_for(run), 4))
    as_before(run)
    asyncio.run(local_run(config_for(run)))
    assert not (run / EARLIER_STATE).exists()
    assert decided(run) == decided(whole)
    assert inspect(RunDirectory(run)) == []


def test_a_kill_between_the_two_names_keeps_the_newer_state(whole: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    shutil.copy(run / STATE, run / EARLIER_STATE)
    config = config_for(run)
    assert work_of(config, SeedFile(config.seeds).scan()).left is Left.nothing
