"""`staragents memory`: what a bank holds, what it would recall, and its export."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from filelock import FileLock

from actors.memory import MemoryActor
from cluster.cli.memory import memory
from staragents.base.errors import BadInput
from staragents.data.seed_file import SeedFile
from staragents.memory.local_bank import FILE
from staragents.memory.memory import Taught
from staragents.run_directory.run_directory import RunDirectory
from staragents.validation.loading import load_config
from tests.support.local_run import local_run
from tests.support.paths import FAKE

HOSTILE = "[red]\x1b[2Jdeepen+direct"


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run directory whose bank holds three seeds."""
    config = load_config(FAKE, [f"output.dir={tmp_path_factory.mktemp('runs') / 'run'}"])
    run = RunDirectory(config.output.dir)
    run.create(config, SeedFile(config.seeds).scan())

    async def fill() -> None:
        bank = MemoryActor(config.memory, str(run.memory), "", run.name)
        texts = ["Name a river.", "Name a short river.", "Sort numbers."]
        pairs = [("deepen+direct", "keep+direct"), ("deepen+direct",), (HOSTILE,)]
        await bank.commit_and_recall(
            [
                Taught(
                    n,
                    f"s{n}",
                    texts[n],
                    drawn,
                    (0.25 * (n + 1), 0.0)[: len(drawn)],
                    (True, False)[: len(drawn)],
                )
                for n, drawn in enumerate(pairs)
            ],
            None,
        )
        await bank.close()

    asyncio.run(fill())
    return run.path


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(memory, [str(one) for one in arguments], catch_exceptions=False)


def test_the_pairs_and_what_would_be_recalled_are_shown(run_dir: Path) -> None:
    shown = json.loads(call(run_dir, "--like", "Name a river.", "--json").output)
    assert (shown["seeds"], shown["outcomes"]) == (3, 4)
    assert shown["bytes"] == (run_dir / "memory" / FILE).stat().st_size
    assert shown["pairs"]["deepen+direct"] == {"seeds": 2, "won": 2, "reward": 0.375}
    assert shown["pairs"]["keep+direct"] == {"seeds": 1, "won": 0, "reward": 0.0}
    assert [(one["seed_id"], one["pair"]) for one in shown["recalled"][:2]] == [
        ("s0", "deepen+direct"),
        ("s0", "keep+direct"),
    ]
    assert shown["recalled"][0]["similarity"] == 1.0


def test_one_sentence_says_what_is_remembered(run_dir: Path) -> None:
    output = " ".join(call(run_dir).output.split())
    assert "remembers 3 seeds with 4 outcomes in 0.00 MB: the reward of every drawn pair." in output


def test_a_bank_is_shown_while_its_run_holds_it(run_dir: Path) -> None:
    with FileLock(run_dir / "memory" / ".lock"):
        assert "remembers 3 seeds" in call(run_dir).output


def test_of_a_bank_of_an_earlier_version_the_candidates_tell(tmp_path: Path) -> None:
    config = load_config(FAKE, [f"output.dir={tmp_path / 'run'}", "seeds.limit=6"])
    asyncio.run(local_run(config))
    before = json.loads(call(tmp_path / "run", "--json").output)
    (tmp_path / "run" / "memory" / FILE).unlink()
    after = json.loads(call(tmp_path / "run", "--json").output)
    assert after["seeds"] > 0
    assert {**after, "bytes": 0} == {**before, "bytes": 0}
    assert not (tmp_path / "run" / "memory" / FILE).exists(), "only read"


def test_names_are_neither_markup_nor_terminal_commands(run_dir: Path) -> None:
    output = call(run_dir, "--like", "Sort numbers.").output
    assert "[red]" in output
    assert "\x1b" not in output


def test_the_export_holds_every_seed_with_its_vector(run_dir: Path, tmp_path: Path) -> None:
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
