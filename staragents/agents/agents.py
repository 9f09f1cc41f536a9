"""All agents and agent pairs of a config, with their prompt templates read and checked."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from staragents.agents.agent_pair import AgentPair
from staragents.agents.instruction_agent import InstructionAgent
from staragents.agents.prompt_templates import PromptTemplate, load_prompt, prompt_path
from staragents.agents.response_agent import ResponseAgent
from staragents.base.errors import BadInput
from staragents.base.generation import Sampling
from staragents.config import AgentConfig, Config, KeptReasoning, ModelConfig
from staragents.files.user_files import read_bytes

KEEP = "keep"
"""The prompt of an instruction agent that leaves instructions unchanged and needs no model."""


@dataclass(frozen=True, slots=True)
class Agents:
    """All agents of a run by name. Both roles may use the same name."""

    instruction: dict[str, InstructionAgent]
    response: dict[str, ResponseAgent]


def agents_from_config(config: Config) -> Agents:
    """All agents, with their templates read and checked. Raises BadInput with all invalid templates."""
    problems: list[str] = []
    instruction: dict[str, InstructionAgent] = {}
    response: dict[str, ResponseAgent] = {}
    for name, agent in config.agents.instruction.items():
        if agent.prompt == KEEP:
            instruction[name] = InstructionAgent(name, "", None, _sampling(agent))
        elif template := agent_template("instruction", name, agent, config, problems):
            model = config.models[agent.model]
            sampling = _sampling(agent, model)
            instruction[name] = InstructionAgent(name, agent.model, template, sampling, model.chat)
    for name, agent in config.agents.response.items():
        if template := agent_template("response", name, agent, config, problems):
            model = config.models[agent.model]
            keeps = agent.reasoning is KeptReasoning.keep
            sampling = _sampling(agent, model)
            response[name] = ResponseAgent(name, agent.model, template, sampling, model.chat, keeps)
    if problems:
        raise BadInput(problems)
    return Agents(instruction, response)


def agent_template(
    role: str, name: str, agent: AgentConfig, config: Config, problems: list[str]
) -> PromptTemplate | None:
    """The agent's template. None, with lines in `problems`, if it is invalid or does not suit its model."""
    key = f"agents.{role}.{name}.prompt"
    try:
        template = load_prompt(role, agent.prompt)
    except BadInput as error:
        problems += [f"{key}: {problem}" for problem in error.problems]
        return None
    model = config.models.get(agent.model)
    if model and not model.chat and not template.has_raw:
        problems.append(
            f"{key}: expected a template with a raw block, as models.{agent.model}.chat is false, "
            f"got {agent.prompt}"
        )
        return None
    return template


def prompt_hashes(config: Config) -> dict[str, str]:
    """sha256 of every agent's template file by dotted key: an edited prompt makes a different run."""
    hashes = {}
    for role, agents in (("instruction", config.agents.instruction), ("response", config.agents.response)):
        for name, agent in agents.items():
            if agent.prompt != KEEP:
                text = read_bytes(prompt_path(role, agent.prompt))
                hashes[f"agents.{role}.{name}.prompt"] = hashlib.sha256(text).hexdigest()
    return hashes


def pairs_from_config(config: Config) -> dict[str, AgentPair]:
    """All agent pairs of the run by name, in the config's order. Raises BadInput."""
    agents = agents_from_config(config)
    pairs = {}
    for name in config.pairs:
        left, _, right = name.partition("+")
        pairs[name] = AgentPair(agents.instruction[left], agents.response[right])
    return pairs


def history_notes(config: Config) -> list[str]:
    """A line for every prompt that does not show the turns before the instruction. Response agents that give
    a chat model turns don't need to: they add those of the conversation."""
    agents = agents_from_config(config)
    found = [("instruction", agent.name, agent.template) for agent in agents.instruction.values()]
    raw = [agent for agent in agents.response.values() if not (agent.chat and agent.template.has_turns)]
    found += [("response", agent.name, agent.template) for agent in raw]
    return [
        f"note: agents.{role}.{name}.prompt: {template.filename} has no {{{{ history }}}}, so the agent sees "
        "no system prompt and no earlier turns"
        for role, name, template in found
        if template is not None and "history" not in template.variables
    ]


def model_notes(config: Config) -> list[str]:
    """A line for every model that is loaded for nobody."""
    return [
        f"note: models.{name} is loaded, but no agent and no judge uses it; models.{name}=null leaves it out"
        for name in config.unused_models
    ]


def _sampling(agent: AgentConfig, model: ModelConfig | None = None) -> Sampling:
    thinking = model.thinking_budget if model is not None else 0
    return Sampling(agent.temperature, agent.top_p, agent.max_tokens, tuple(agent.stop), thinking)
