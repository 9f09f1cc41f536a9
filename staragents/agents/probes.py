"""The requests with which a server is tried at start: those of a model's roles, about a made-up seed."""

from __future__ import annotations

from dataclasses import replace

from staragents.agents.agents import agents_from_config
from staragents.agents.judge_requests import judge_requests
from staragents.base.generation import GenerationRequest
from staragents.base.messages import Message, with_exchange
from staragents.base.records import Seed
from staragents.config import Config

PROBE_ID = "probe"
_SEED = Seed(PROBE_ID, 0, with_exchange((Message("system", "Be brief."),), "Name a colour.", "Blue."))


def probes_of(config: Config, model: str) -> tuple[GenerationRequest, ...]:
    """One request for every way in which agents and judge use `model`, agents first; empty if none does."""
    # Without the agents of other models, which a config of added models may lack.
    instruction, response = (
        {name: agent for name, agent in agents.items() if agent.model == model}
        for agents in (config.agents.instruction, config.agents.response)
    )
    using = replace(config.agents, instruction=instruction, response=response)
    agents = agents_from_config(replace(config, agents=using))
    run_seed, deadline_s = config.run.seed, config.run.deadline_s
    requests = [
        agent.rewrite_request(_SEED, PROBE_ID, run_seed, deadline_s)
        for agent in agents.instruction.values()
        if not agent.keeps
    ]
    requests += [
        agent.answer_request(_SEED.context, _SEED.instruction, PROBE_ID, run_seed, deadline_s)
        for agent in agents.response.values()
    ]
    if config.judge.model == model:
        changed = with_exchange(_SEED.context, _SEED.instruction, "Green.")
        requests += judge_requests(
            config.judge,
            config.models[model],
            PROBE_ID,
            changed,
            _SEED.messages,
            0,
            deadline_s,
            run_seed,
        )[:1]
    return tuple({_way(request): request for request in reversed(requests)}.values())[::-1]


def _way(request: GenerationRequest) -> tuple[object, ...]:
    """What a server may refuse in a request, apart from its texts and lengths."""
    sampling = request.sampling
    roles = tuple(turn.role for turn in request.messages or ())
    schema = request.json_schema is not None
    return (roles, sampling.temperature, sampling.top_p, bool(sampling.stop), schema, request.top_logprobs)
