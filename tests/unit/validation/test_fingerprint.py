"""Which settings tie a run directory to its config."""

from __future__ import annotations

import json

import pytest

from staragents.config import AgentConfig, AgentsConfig, Config, ModelConfig, PolicyName
from staragents.config.tree import leaves, matches
from staragents.validation.loading import (
    MAY_CHANGE,
    additions,
    as_dict,
    changed_keys,
    fingerprint,
    from_yaml,
    to_yaml,
)


def make_config() -> Config:
    return Config(
        models={"writer": ModelConfig()},
        agents=AgentsConfig(
            instruction={"keep": AgentConfig(prompt="keep"), "more": AgentConfig(model="writer")},
            response={"direct": AgentConfig(model="writer")},
        ),
    )


def test_saving_and_loading_keeps_the_fingerprint() -> None:
    config = make_config()
    assert fingerprint(from_yaml(to_yaml(config))) == fingerprint(config)
    assert len(fingerprint(config)) == 64


def test_pool_sizes_deadlines_and_the_output_may_change() -> None:
    config, other = make_config(), make_config()
    other.models["writer"].max_replicas = 8
    other.models["writer"].num_gpus = 1
    other.models["writer"].base_url = "http://elsewhere"
    other.models["writer"].api_key_env = "KEY"
    other.scoring.target.replicas = 3
    other.run.attempts = 9
    other.run.deadline_s = 1
    other.run.checkpoint_s = 1
    other.run.max_tokens = other.run.patience = 1000
    other.run.max_minutes = 5.0
    other.output.dir = other.output.title = "elsewhere"
    other.output.resume = "must"
    assert fingerprint(other) == fingerprint(config)
    assert changed_keys(as_dict(config), as_dict(other)) == []


def test_settings_that_affect_texts_and_draws_may_not_change() -> None:
    config, other = make_config(), make_config()
    other.models["writer"].model = "org/other"
    other.agents.response["direct"].temperature = 0.1
    other.evolution.policy = PolicyName.paper
    other.run.admitted_seeds = 7
    other.seeds.limit = 3
    del other.agents.instruction["keep"]
    assert fingerprint(other) != fingerprint(config)
    # As when the old config comes from a run's state.
    saved = json.loads(json.dumps(as_dict(config)))
    changed = set(changed_keys(saved, as_dict(other)))
    assert {
        "models.writer.model",
        "agents.response.direct.temperature",
        "agents.instruction.keep.prompt",
        "evolution.policy",
        "run.admitted_seeds",
        "seeds.limit",
    } <= changed
    assert {key.split(".")[0] for key in changed} == {"models", "agents", "evolution", "run", "seeds"}


def test_the_order_of_agents_decides_draws() -> None:
    config, other = make_config(), make_config()
    other.agents.instruction = dict(reversed(config.agents.instruction.items()))
    assert fingerprint(other) != fingerprint(config)
    assert changed_keys(as_dict(config), as_dict(other)) == ["agents (their order)"]


@pytest.mark.parametrize("pattern", MAY_CHANGE)
def test_every_exception_belongs_to_a_setting(pattern: str) -> None:
    config = make_config()
    config.models["writer"].resources = config.scoring.target.resources = {"custom": 1.0}
    assert any(matches(key, pattern) for key, _ in leaves(as_dict(config)))


def test_agents_and_models_may_be_added_and_are_named() -> None:
    config, other = make_config(), make_config()
    assert additions(as_dict(config), as_dict(other)) == []
    other.models["judge"] = ModelConfig()
    other.agents.response["brief"] = AgentConfig(model="judge")
    other.agents.retired = ["more"]
    assert additions(as_dict(config), as_dict(other)) == ["models.judge", "agents.response.brief"]
    other.run.seed += 1
    assert additions(as_dict(config), as_dict(other)) is None


def test_existing_agents_and_models_may_not_change_or_be_removed() -> None:
    config, other = make_config(), make_config()
    other.agents.response["brief"] = AgentConfig(model="writer")
    assert additions(as_dict(other), as_dict(config)) is None, "retired instead"
    other.agents.response["direct"].temperature = 0.5
    assert additions(as_dict(config), as_dict(other)) is None


def test_listed_pairs_may_be_extended() -> None:
    config, other = make_config(), make_config()
    config.agents.pairs = ["keep+direct"]
    other.agents.pairs = ["keep+direct", "more+direct"]
    assert additions(as_dict(config), as_dict(other)) == ["agents.pairs"]
    assert additions(as_dict(other), as_dict(config)) is None
