"""`staragents compare` as a command: a planted truth, an equal budget, a kill during the run."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from staragents.run_directory.run_directory import RunDirectory
from tests.ray.conftest import started_jobs, wait_until
from tests.support.recorded_config import recorded_config

# One clearly better agent among many, for evolution to find.
WINS = {"good": 0.85, **{f"poor{n}": 0.2 for n in range(4)}}


def compared(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "compare.json").read_text())


def tokens(run_dir: Path) -> int:
    return sum(one.tokens for seed in RunDirectory(run_dir).seeds() for one in seed)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A comparison that was killed in its first variant, then resumed to its end."""
    above = tmp_path_factory.mktemp("planted")
    config, folder = recorded_config(above, WINS, rows=120), above / "compared"
    command = (
        "compare", str(config), "run.checkpoint_s=0", "--ablation", "full,uniform", "--tokens", "12000",
        "-o", str(folder),
    )  # fmt: skip
    with started_jobs() as start:
        job = start(*command)
        wait_until(
            lambda: (RunDirectory(folder / "full").state() or {}).get("cursor", 0) >= 5, "a checkpoint"
        )
        job.kill_group()
        assert job.left_over() == []
        assert not (folder / "compare.json").exists()
        with sqlite3.connect(folder / "generations.sqlite") as cache:
            assert cache.execute("SELECT count(*) FROM generations").fetchone()[0] > 0
        code, output = start(*command).wait()
        assert code == 0, output
        yield folder


def test_evolution_finds_the_better_agent_and_the_table_shows_it(folder: Path) -> None:
    result = compared(folder)
    full, uniform = result["rows"]
    assert (full["name"], uniform["name"], result["reference"]) == ("full", "uniform", "full")
    assert uniform["against"]["win"]["high"] < 0, "significantly worse than the config that learns"
    assert uniform["against"]["improved"]["high"] < 0
    # Recorded answers and verdicts, but the IFDs are not: every output says what is fake.
    assert result["fake"] == ["larger", "target"]
    assert "FAKE" in (folder / "compare.html").read_text()


def test_variants_get_the_same_budget_and_share_equal_requests(folder: Path) -> None:
    result = compared(folder)
    for row in result["rows"]:
        assert row["tokens"] == tokens(folder / row["name"])
        assert row["stopped"]["rule"] == "run.max_tokens"
        assert 20 < row["seeds_reached"] < 120
        assert abs(row["tokens"] - 12_000) < 3 * row["tokens"] / row["seeds_reached"]
    asked = 0
    made = set()
    for row in result["rows"]:
        for seed in RunDirectory(folder / row["name"]).seeds():
            for one in seed:
                judged = 2 * (one.judge_win is not None)
                asked += 1 + judged
                made.add((one.candidate_id, judged))
    assert result["generations_made"] == sum(1 + judged for _, judged in made)
    # Each run makes one request, and the common judge requests both verdicts on every chosen row again.
    chosen = sum(row["seeds_replaced"] for row in result["rows"])
    # Work interrupted by the kill was requested again.
    assert result["generations_used"] >= asked + 2 * chosen
    assert result["generations_made"] < asked
