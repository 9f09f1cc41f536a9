"""The requests with which a server is tried at start."""

from __future__ import annotations

from staragents.agents.probes import probes_of
from staragents.config import Config
from staragents.validation.loading import load_config
from tests.support.paths import ROOT


def config(*overrides: str) -> Config:
    return load_config(ROOT / "configs/fake.yaml", overrides)


def test_agents_that_ask_in_the_same_way_are_tried_once() -> None:
    """Prompts differ, but a server refuses parameters and roles."""
    tried = probes_of(config(), "writer")
    ways = {(tuple(turn.role for turn in r.messages or ()), r.sampling.temperature) for r in tried}
    assert len(tried) == len(ways)
    assert all(request.json_schema is None for request in tried)


def test_a_different_sampling_is_tried_too() -> None:
    before = len(probes_of(config(), "writer"))
    assert len(probes_of(config("agents.response.direct.temperature=1.3"), "writer")) == before + 1


def test_the_judge_is_tried_with_its_schema_and_log_probabilities() -> None:
    (request,) = probes_of(config(), "judge")
    assert request.json_schema is not None
    assert request.top_logprobs == 20
    assert request.sampling.temperature == 0.0


def test_a_hard_judge_needs_no_log_probabilities() -> None:
    (request,) = probes_of(config("judge.verdict=hard"), "judge")
    assert request.top_logprobs == 0


def test_a_model_with_both_roles_is_tried_with_both() -> None:
    tried = probes_of(config("judge.model=writer"), "writer")
    assert tried[-1].json_schema is not None
    assert tried[0].json_schema is None


def test_a_model_without_a_role_has_no_probes() -> None:
    assert probes_of(config("models.spare.kind=fake"), "spare") == ()


def test_a_base_model_is_tried_with_raw_text() -> None:
    agents = ["agents.response.base={model: base, prompt: few_shot}"]
    tried = probes_of(config("models.base={kind: fake, chat: false}", *agents), "base")
    assert [(bool(request.prompt), request.messages) for request in tried] == [(True, None)]
