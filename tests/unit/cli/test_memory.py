"""`staragents memory`: what a bank holds, what it would recall, and its export."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from actors.memory import MemoryActor
from cluster.cli.memory import memory
from staragents.base.errors import BadInput
from staragents.data.seed_file import SeedFile
from staragents.evolution.policy import Outcome
from staragents.run_directory.run_directory import RunDirectory
from staragents.validation.loading import load_config
from tests.support.paths import FAKE

HOSTILE = "[red]\x1b[2Jdeepen+direct"


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run directory whose bank holds three winners."""
    config = load_config(FAKE, [f"output.dir={tmp_path_factory.mktemp('runs') / 'run'}"])
    run = RunDirectory(config.output.dir)
    run.create(config, SeedFile(config.seeds).scan())

    async def fill() -> None:
        bank = MemoryActor(config.memory, str(run.memory), "", run.name)
        seeds = [("s0", "Name a river."), ("s1", "Name a short river."), ("s2", "Sort numbers.")]
        await bank.embed(seeds)
        pairs = ["deepen+direct", "deepen+direct", HOSTILE]
        commits = [(n, seeds[n], [Outcome(pair, 0.25 * (n + 1), True)]) for n, pair in enumerate(pairs)]
        await bank.commit_and_recall(commits, None)
        await bank.close()

    asyncio.run(fill())
    return run.path


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(memory, [str(one) for one in arguments], catch_exceptions=False)


def test_the_pairs_and_what_would_be_recalled_are_shown(run_dir: Path) -> None:
    shown = json.loads(call(run_dir, "--like", "Name a river.", "--json").output)
    assert shown["points"] == 3
    assert shown["pairs"]["deepen+direct"] == {
        "points": 2,
        "reward": 0.375,
        "worth": pytest.approx(0.375, abs=0.25),
    }
    assert shown["recalled"][0]["seed_id"] == "s0"
    assert shown["recalled"][0]["similarity"] == pytest.approx(1.0, abs=1e-5)
    assert "s2" not in [found["seed_id"] for found in shown["recalled"]]


def test_names_are_neither_markup_nor_terminal_commands(run_dir: Path) -> None:
    output = call(run_dir, "--like", "Sort numbers.").output
    assert "[red]" in output
    assert "\x1b" not in output


def test_the_export_holds_every_point_with_its_vector(run_dir: Path, tmp_path: Path) -> None:
    call(run_dir, "--export", tmp_path / "bank.parquet")
    table = pq.read_table(tmp_path / "bank.parquet")
    assert sorted(table["seed_id"].to_pylist()) == ["s0", "s1", "s2"]
    assert {len(vector) for vector in table["vector"].to_pylist()} == {256}


def test_a_folder_without_a_memory_bank_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no config\.yaml; expected a run directory"):
        call(tmp_path)
    config = load_config(FAKE, [f"output.dir={tmp_path / 'off'}", "memory.enabled=false"])
    RunDirectory(config.output.dir).create(config, SeedFile(config.seeds).scan())
    with pytest.raises(BadInput, match=r"memory\.enabled=false"):
        call(tmp_path / "off")
