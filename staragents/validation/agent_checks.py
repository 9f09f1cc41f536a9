"""Checks for agents and agent pairs."""

from __future__ import annotations

from collections.abc import Iterator

from staragents.agents.agents import KEEP, agent_template
from staragents.agents.prompt_templates import shipped_prompts
from staragents.config import AgentConfig, Config, EngineKind, KeptReasoning
from staragents.validation.message_parts import shown
from staragents.validation.value_checks import check_known, check_names, did_you_mean


def check_agents(config: Config) -> Iterator[str]:
    for role, agents in (("instruction", config.agents.instruction), ("response", config.agents.response)):
        section = f"agents.{role}"
        if not agents:
            yield f"{section}: expected at least one agent, got none"
        yield from check_names(section, agents)
        for name, agent in agents.items():
            key = f"{section}.{name}"
            if "" in agent.stop:
                yield f"{key}.stop: expected non-empty strings, got an empty one"
            yield from _reasoning(f"{key}.reasoning", role, agent, config)
            if role == "instruction" and agent.prompt == KEEP:
                continue
            yield from check_known(f"{key}.model", agent.model, "models", config.models)
            yield from _prompt(role, name, agent, config)
            yield from _room(f"{key}.max_tokens", agent, config)


def _reasoning(key: str, role: str, agent: AgentConfig, config: Config) -> Iterator[str]:
    if agent.reasoning is KeptReasoning.drop:
        return
    if role == "instruction":
        yield f"{key}: expected drop, as a rewrite never carries thoughts, got keep"
    elif (model := config.models.get(agent.model)) and not model.chat:
        yield f"{key}: expected drop, as models.{agent.model}.chat is false, got keep"


def _prompt(role: str, name: str, agent: AgentConfig, config: Config) -> Iterator[str]:
    shipped = shipped_prompts(role)
    if not agent.prompt.endswith(".j2") and agent.prompt not in shipped:
        if role == "instruction":
            shipped.append(KEEP)
        expected = f"one of {', '.join(shipped)} or a .j2 file"
        got = f"{shown(agent.prompt)}{did_you_mean(agent.prompt, shipped)}"
        yield f"agents.{role}.{name}.prompt: expected {expected}, got {got}"
        return
    problems: list[str] = []
    agent_template(role, name, agent, config, problems)
    yield from problems


def _room(key: str, agent: AgentConfig, config: Config) -> Iterator[str]:
    model = config.models.get(agent.model)
    if model and model.kind is EngineKind.vllm and agent.max_tokens >= model.max_model_len:
        limit = f"models.{agent.model}.max_model_len ({model.max_model_len})"
        yield f"{key}: expected less than {limit}, which includes the prompt, got {agent.max_tokens}"


def check_pairs(config: Config) -> Iterator[str]:
    agents = config.agents
    every = [f"{left}+{right}" for left in agents.instruction for right in agents.response]
    for key, pairs in (("agents.pairs", agents.pairs or []), ("agents.base_pairs", agents.base_pairs)):
        for index, pair in enumerate(pairs):
            if pair not in every:
                expected = "instruction+response, both agent names"
                yield f"{key}[{index}]: expected {expected}, got {shown(pair)}{did_you_mean(pair, every)}"
            elif pair in pairs[:index]:
                yield f"{key}[{index}]: expected each pair once, got {pair} again"
    known = [*agents.instruction, *agents.response, *config.pairs]
    for index, name in enumerate(agents.retired):
        if name not in known:
            instead = did_you_mean(name, known)
            yield f"agents.retired[{index}]: expected an agent or a pair, got {shown(name)}{instead}"
    if left := sorted(config.retired_pairs & set(agents.base_pairs)):
        yield f"agents.retired: expected no agent of a base pair, got one of {left[0]}"
