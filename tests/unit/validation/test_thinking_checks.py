"""Settings for models that think, where they contradict others."""

from __future__ import annotations

import pytest

from staragents.base.errors import BadInput
from staragents.config import Config, KeptReasoning, Reasoning
from staragents.validation.loading import from_yaml, load_config, to_yaml
from tests.support.paths import FAKE


def load(*overrides: str) -> Config:
    return load_config(FAKE, list(overrides))


def first_response_agent() -> str:
    return next(iter(load().agents.response))


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (["models.{m}.chat=false", "models.{m}.reasoning=on"], "models.{m}.reasoning: expected auto"),
        (
            ["models.{m}.chat_template_kwargs={{enable_thinking: false}}"],
            "models.{m}.chat_template_kwargs: expected nothing for kind fake, got enable_thinking",
        ),
        (
            ["models.{m}.kind=vllm", "models.{m}.chat_template_kwargs={{tokenize: false}}"],
            "models.{m}.chat_template_kwargs: expected a variable of the chat template .* got 'tokenize'",
        ),
        (
            ["models.{m}.extra_body={{top_k: 20}}"],
            "models.{m}.extra_body: expected nothing for kind fake, .* got top_k",
        ),
        (["models.{m}.thinking_tokens=-1"], "models.{m}.thinking_tokens: expected .*at least 0"),
        (
            ["models.{m}.reasoning=on", "models.{m}.thinking_tokens=0"],
            "models.{m}.thinking_tokens: expected at least 1, as models.{m}.reasoning is on, got 0",
        ),
        (
            ["models.{m}.kind=vllm", "models.{m}.reasoning=on", "models.{m}.thinking_tokens=5000"],
            "models.{m}.thinking_tokens: expected less than models.{m}.max_model_len .4096., .* got 5000",
        ),
        (
            [
                "models.{m}.kind=vllm",
                "models.{m}.reasoning=on",
                "models.{m}.chat_template_kwargs={{enable_thinking: false}}",
            ],
            "models.{m}.chat_template_kwargs.enable_thinking: expected true or nothing, .* got false",
        ),
        (
            [
                "models.{m}.kind=openai",
                "models.{m}.reasoning=off",
                "models.{m}.extra_body={{chat_template_kwargs: {{thinking: true}}}}",
            ],
            "models.{m}.extra_body.chat_template_kwargs.thinking: expected false or nothing, .* got true",
        ),
        (
            ["models.{m}.kind=openai", "models.{m}.extra_body={{chat_template_kwargs: 7}}"],
            "models.{m}.extra_body.chat_template_kwargs: expected a mapping, got 7",
        ),
        (["models.{m}.reasoning=sometimes"], "models.{m}.reasoning: expected one of auto, on, off"),
        (
            ["agents.instruction.{i}.reasoning=keep"],
            "agents.instruction.{i}.reasoning: expected drop, as a rewrite never carries thoughts, got keep",
        ),
    ],
)  # fmt: skip
def test_a_contradiction_is_one_line(overrides: list[str], line: str) -> None:
    config = load()
    instruction = next(name for name, agent in config.agents.instruction.items() if agent.prompt != "keep")
    names = {"m": next(iter(config.models)), "i": instruction}
    with pytest.raises(BadInput, match=line.format(**names)):
        load(*(override.format(**names) for override in overrides))


def test_a_model_may_think_as_every_engine_allows() -> None:
    name = next(iter(load().models))
    agent = first_response_agent()
    config = load(f"models.{name}.reasoning=off", f"agents.response.{agent}.reasoning=keep")
    # Bare words in YAML; OmegaConf reads them as booleans.
    assert config.models[name].reasoning is Reasoning.off
    assert load(f"models.{name}.reasoning=on").models[name].reasoning is Reasoning.on
    assert from_yaml(to_yaml(config)).models[name].reasoning is Reasoning.off
    assert config.agents.response[agent].reasoning is KeptReasoning.keep
