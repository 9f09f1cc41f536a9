"""`staragents replay RUN`: which settings a finished run is evaluated with."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cluster.cli.replay_settings import settings
from staragents.config import Config, Credit, EvolutionConfig, OutputConfig, PolicyName
from staragents.validation.loading import load_config
from tests.support.local_run import local_run
from tests.support.paths import FAKE
from tests.support.program import staragents

pytestmark = pytest.mark.slow

Replay = Callable[..., dict[str, Any]]


@pytest.fixture
def replayed(finished_run: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> Replay:
    def run(*arguments: str) -> dict[str, Any]:
        assert staragents(monkeypatch, "replay", str(finished_run), "--json", *arguments) == 0
        (result,) = json.loads(capsys.readouterr().out)
        return result

    return run


def mean(result: dict[str, Any]) -> float:
    return result["estimates"][-1]["mean"]


def test_without_memory_nothing_is_recalled(replayed: Replay) -> None:
    own, without = replayed(), replayed("--no-memory")
    assert own["recalled"] > 0
    assert without["recalled"] == 0
    assert own["effective_draws"] == pytest.approx(own["draws"] - own["missing"])
    assert without["logged"] == own["logged"]


def test_the_settings_of_a_run_are_changed_and_not_replaced() -> None:
    evolution = EvolutionConfig(policy=PolicyName.ucb, exploration=0.5, floor=0.1, draws=3)
    own = replace(Config(), evolution=evolution)
    changed = settings(("evolution.exploration=0.4",), None, own=own).evolution
    assert changed == replace(evolution, exploration=0.4)
    assert settings((), "exp3", own=own).evolution == replace(evolution, policy=PolicyName.exp3)
    paper = settings(("evolution.floor=0.05",), "paper", own=own).evolution
    assert (paper.credit, paper.floor, paper.draws) == (Credit.winner, 0.05, 3)


def test_a_run_may_have_any_text_in_its_settings() -> None:
    own = replace(Config(), output=OutputConfig(title="Price in ${USD}"))
    changed = settings(("evolution.exploration=0.4",), None, own=own)
    assert changed.output.title == "Price in ${USD}"


def test_another_policy_does_not_get_what_the_papers_learns_from() -> None:
    evolution = EvolutionConfig(policy=PolicyName.paper, credit=Credit.winner, floor=0.01, rate=9)
    own = replace(Config(), evolution=evolution)
    assert settings((), "paper", own=own).evolution == evolution
    assert settings((), "thompson", own=own).evolution.credit is Credit.all
    assert settings(("evolution.rate=5",), None, own=own).evolution == replace(evolution, rate=5)


def test_a_setting_of_a_runs_own_policy_changes_the_estimate(replayed: Replay) -> None:
    own, same = replayed(), replayed("evolution.policy=thompson")
    assert same == own
    assert mean(replayed("evolution.exploration=0.6")) != mean(own)


async def test_settings_are_checked_for_the_policy_of_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of the default policy do not matter."""
    run = tmp_path / "run"
    await local_run(load_config(FAKE, [f"output.dir={run}", "seeds.limit=12", "evolution.policy=exp3"]))
    assert staragents(monkeypatch, "replay", str(run), "evolution.credit=winner") == 0


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("memory.neighbours=1", "memory.neighbours=1: expected settings of evolution alone for a run dir"),
        ("reward.cost=tokens", "reward.cost=tokens: expected settings of evolution alone"),
        ("evolution.draws=3", "evolution.draws=3: expected --draws for a table, and nothing for a run"),
        ("--draws=3", "--draws: expected a table of recorded agents, got run directories only"),
        ("--shuffle-embeddings", "--shuffle-embeddings: expected a table"),
    ],
)
def test_what_a_finished_run_cannot_be_evaluated_with_is_refused(
    finished_run: Path, monkeypatch: pytest.MonkeyPatch, capsys, argument: str, expected: str
) -> None:
    assert staragents(monkeypatch, "replay", str(finished_run), argument) == 2
    said = capsys.readouterr().err
    assert expected in said
    assert len(said.strip().splitlines()) == 1
