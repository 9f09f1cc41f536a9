"""The presets in configs/ load unchanged."""

from __future__ import annotations

from pathlib import Path

import pytest

from staragents.base.errors import BadInput
from staragents.config import (
    Baseline,
    Composite,
    Config,
    Difficulty,
    EngineKind,
    Fallback,
    PolicyName,
    Verdicts,
)
from staragents.validation.loading import from_yaml, load_config, to_yaml
from tests.support.paths import ROOT

CONFIGS = ROOT / "configs"
PRESETS = ("demo", "fake", "laptop", "node8", "paper")


def preset(name: str, output: Path) -> Config:
    """Skips the test if the only problem is that the packages with the small models aren't installed."""
    try:
        return load_config(CONFIGS / f"{name}.yaml", [f"output.dir={output / 'run'}"])
    except BadInput as error:
        others = [line for line in error.problems if "is not installed" not in line]
        assert not others, "\n".join(others)
        pytest.skip(error.problems[0])


def test_every_preset_is_tested() -> None:
    assert {file.stem for file in CONFIGS.glob("*.yaml")} >= set(PRESETS)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_has_no_problem(name: str, tmp_path: Path) -> None:
    config = preset(name, tmp_path)
    assert from_yaml(to_yaml(config)) == config
    assert config.seeds.path == "bundled:self-instruct"
    assert config.agents.base_pairs


def test_the_node_preset_fits_on_eight_gpus(tmp_path: Path) -> None:
    config = preset("node8", tmp_path)
    scorers = sum(s.replicas * s.num_gpus for s in (config.scoring.target, config.scoring.larger))
    assert scorers + sum(model.max_replicas * model.num_gpus for model in config.models.values()) <= 8
    assert all(model.num_gpus > 0 for model in config.models.values())


def test_the_fake_preset_names_no_real_model(tmp_path: Path) -> None:
    config = preset("fake", tmp_path)
    assert {model.kind for model in config.models.values()} == {EngineKind.fake}
    assert {config.scoring.target.model, config.scoring.larger.model, config.memory.embedder} == {"fake"}


def test_the_paper_preset_matches_the_paper(tmp_path: Path) -> None:
    config = preset("paper", tmp_path)
    evolution = config.evolution
    assert (evolution.policy, evolution.rate, evolution.floor) == (PolicyName.paper, 7.0, 0.0)
    assert (len(config.pairs), evolution.draws + len(config.agents.base_pairs)) == (10, 5)
    assert evolution.credit == "winner"
    judge, reward = config.judge, config.reward
    assert (judge.baseline, judge.verdict, judge.both_orders) == (Baseline.base, Verdicts.hard, False)
    assert (reward.difficulty, reward.composite) == (Difficulty.paper, Composite.product)
    assert (reward.require_win, reward.fallback) == (False, Fallback.base)
