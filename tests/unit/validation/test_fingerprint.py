"""Which settings tie a run directory to its config."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from staragents.config import (
    AgentConfig,
    AgentsConfig,
    Config,
    EngineKind,
    FakeConfig,
    Keep,
    ModelConfig,
    PolicyName,
    Reasoning,
)
from staragents.config.tree import as_dict
from staragents.validation.config_builder import typed
from staragents.validation.loading import (
    additions,
    changed_keys,
    fingerprint,
    from_yaml,
    to_yaml,
)
from staragents.validation.merging import read_file
from tests.support.paths import ROOT

CONFIGS = ROOT / "configs"
FINGERPRINTS = {
    "ablations/cost-aware": "b37ed2c76fd11639",
    "ablations/default": "e753ae26363c26bf",
    "ablations/dual-only": "f854211d20670177",
    "ablations/full": "e753ae26363c26bf",
    "ablations/ifd-only": "ff12e99f41d8f9f5",
    "ablations/judge-only": "65fe877469ccabb3",
    "ablations/no-memory": "cb2fa9b7c4662a40",
    "ablations/paper": "71f80032cb8270fc",
    "ablations/random": "cce7fd565d3195d7",
    "ablations/target-only": "4967b591ae963514",
    "ablations/uniform": "685acf12067b8c39",
    "demo": "46faf799e69b9b9a",
    "fake": "6ad00e388ab88bb3",
    "laptop": "c28dda787b80fb34",
    "node8": "13988297b293a019",
    "paper": "8d4fa50b0e4939a0",
    "paper-node8": "caaf8b948cc7e333",
}
"""Of the shipped configs. If a change of the code alters one, runs made with that config can't be resumed. A
change of the config itself may alter its own."""


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


@pytest.mark.parametrize("file", sorted(CONFIGS.rglob("*.yaml")), ids=lambda file: file.stem)
def test_runs_of_earlier_versions_resume(file: Path) -> None:
    problems: list[str] = []
    config = typed(read_file(file, problems), problems)
    assert not problems
    assert fingerprint(config)[:16] == FINGERPRINTS[str(file.relative_to(CONFIGS).with_suffix(""))]


def test_a_setting_of_a_later_version_ties_a_run_only_when_it_is_set() -> None:
    config, other = make_config(), make_config()
    saved = json.loads(json.dumps(as_dict(config)))
    for model in saved["models"].values():
        del model["reasoning"], model["thinking_tokens"]
    assert changed_keys(saved, as_dict(config)) == []
    other.models["writer"].reasoning = Reasoning.on
    other.models["writer"].chat_template_kwargs = {"reasoning_effort": "low"}
    assert fingerprint(other) != fingerprint(config)
    changed = changed_keys(saved, as_dict(other))
    assert changed == ["models.writer.reasoning", "models.writer.chat_template_kwargs.reasoning_effort"]


def test_a_run_scored_without_reasoning_before_there_was_the_setting() -> None:
    config, other = make_config(), make_config()
    saved = json.loads(json.dumps(as_dict(config)))
    del saved["scoring"]["reasoning"]
    assert changed_keys(saved, as_dict(config)) == []
    other.scoring = replace(other.scoring, reasoning=type(other.scoring.reasoning)("both"))
    assert fingerprint(other) != fingerprint(config)
    assert changed_keys(saved, as_dict(other)) == ["scoring.reasoning"]


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


def test_a_first_list_of_pairs_removes_those_that_it_lacks() -> None:
    config, other = make_config(), make_config()
    other.agents.pairs = ["keep+direct"]
    assert additions(as_dict(config), as_dict(other)) is None


def test_a_run_resumes_under_a_default_that_has_changed_since() -> None:
    config, other = make_config(), make_config()
    saved = json.loads(json.dumps(as_dict(config)))
    del saved["memory"]["keep"]
    saved["memory"].update(neighbours=10, min_similarity=0.5)
    assert changed_keys(saved, as_dict(config)) == []
    config.memory.keep, config.memory.neighbours, config.memory.min_similarity = Keep.winners, 10, 0.5
    assert changed_keys(saved, as_dict(config)) == []
    other.memory.neighbours = 20
    assert changed_keys(saved, as_dict(other)) == ["memory.neighbours"]
    assert fingerprint(other) != fingerprint(config)


def test_what_a_model_ignores_ties_no_run() -> None:
    config, other = make_config(), make_config()
    config.models["writer"] = ModelConfig(
        EngineKind.openai, "m", engine_args={"a": {"b": 1}}, table="x", fake=FakeConfig(refusal_rate=0.5)
    )
    other.models["writer"] = ModelConfig(EngineKind.openai, "m")
    assert fingerprint(config) == fingerprint(other)
    assert changed_keys(as_dict(config), as_dict(other)) == []
    assert changed_keys(as_dict(other), as_dict(config)) == []
    config.models["writer"].kind = other.models["writer"].kind = EngineKind.vllm
    assert fingerprint(config) != fingerprint(other)
    assert changed_keys(as_dict(config), as_dict(other)) == ["models.writer.engine_args.a.b"]
    config.models["writer"].kind = other.models["writer"].kind = EngineKind.fake
    assert changed_keys(as_dict(config), as_dict(other)) == ["models.writer.fake.refusal_rate"]
