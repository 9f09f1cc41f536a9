"""The requests with which a server is tried at start."""

from __future__ import annotations

from staragents.agents.agents import agents_from_config
from staragents.agents.probes import probes_of
from staragents.base.generation import GenerationRequest
from staragents.base.messages import Message, with_exchange
from staragents.base.records import Seed
from staragents.config import Config
from staragents.validation.loading import load_config
from tests.support.paths import FAKE


def config(*overrides: str) -> Config:
    return load_config(FAKE, overrides)


def way(request: GenerationRequest) -> tuple[object, ...]:
    """What a server may refuse of an agent's request."""
    sampling = request.sampling
    roles = tuple(turn.role for turn in request.messages or ())
    return roles, sampling.temperature, sampling.top_p, bool(sampling.stop)


def test_agents_that_ask_in_the_same_way_are_tried_once() -> None:
    """Prompts differ, but a server refuses parameters and roles."""
    agents = agents_from_config(config())
    seed = Seed("s", 0, with_exchange((Message("system", "Be kind."),), "Name a tree.", "An oak."))
    asked = [one.rewrite_request(seed, "c", 0, 9.0) for one in agents.instruction.values() if not one.keeps]
    asked += [one.answer_request(seed.context, "Name it.", "c", 0, 9.0) for one in agents.response.values()]
    tried = probes_of(config(), "writer")
    ways = {way(request) for request in asked}
    assert len(asked) > len(ways) > 1
    assert len(tried) == len(ways)
    assert {way(request) for request in tried} == ways
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
