"""`staragents preview`: how many seeds it runs. Whole previews are in tests/ray."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from cluster.cli.preview import preview
from staragents.config import Config
from staragents.data.seed_file import SeedFile
from staragents.validation.loading import load_config
from tests.support.paths import FAKE


class Asked(Exception):
    """Ends the preview where the run would begin."""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Config]:
    found: list[Config] = []

    def optimise(config: Config, watcher: object) -> None:
        found.append(config)
        raise Asked

    monkeypatch.setattr("cluster.driver.optimise.optimise", optimise)
    monkeypatch.setattr("cluster.terminal.long_work.begin_long_work", lambda: None)
    return found


@pytest.mark.parametrize("seeds", [1, 2, 3, 5])
def test_held_out_seeds_do_not_count(seeds: int, asked: list[Config]) -> None:
    CliRunner().invoke(preview, [str(FAKE), "seeds.hold_out=0.5", "-n", str(seeds)])
    few = SeedFile(asked[0].seeds)
    every = SeedFile(load_config(FAKE, ["seeds.hold_out=0.5"]).seeds)
    assert few.scan().seeds == seeds
    assert [seed.seed_id for seed in few.seeds()] == [seed.seed_id for seed in every.seeds()][:seeds]


def test_a_dataset_with_fewer_is_shown_whole(asked: list[Config], tmp_path: Path) -> None:
    row = {"instruction": "Name a colour.", "output": "Blue."}
    (tmp_path / "s.jsonl").write_text(f"{json.dumps(row)}\n{json.dumps(row)}\n")
    CliRunner().invoke(preview, [str(FAKE), f"seeds.path={tmp_path / 's.jsonl'}", "-n", "5"])
    assert SeedFile(asked[0].seeds).scan().seeds == 1
