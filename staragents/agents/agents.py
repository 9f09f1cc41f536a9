"""Agents: named combinations of model, role, prompt and sampling, and their generation requests."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace

from staragents.agents.prompt_templates import Prompt, PromptTemplate, load_prompt, prompt_path
from staragents.base.errors import BadInput
from staragents.base.generation import Generation, GenerationRequest, Sampling
from staragents.base.messages import Conversation, Message
from staragents.base.records import Seed, stable_id, stable_seed
from staragents.config import AgentConfig, Config, KeptReasoning, ModelConfig
from staragents.files.user_files import read_bytes
from staragents.text.untrusted_text import as_part, as_turn

KEEP = "keep"
"""The prompt of an instruction agent that leaves instructions unchanged and needs no model."""


@dataclass(frozen=True, slots=True)
class InstructionAgent:
    """A^I of the paper's eq. 2: rewrites the last user turn of a seed or adds a new one."""

    name: str
    model: str
    template: PromptTemplate | None
    sampling: Sampling
    chat: bool = True

    @property
    def keeps(self) -> bool:
        """Whether it leaves every instruction unchanged and makes no request."""
        return self.template is None

    @property
    def continues(self) -> bool:
        """Whether its instructions follow the seed's last turn instead of replacing one."""
        return self.template is not None and self.template.continues

    def context(self, seed: Seed) -> Conversation:
        """The turns before its instruction."""
        return seed.messages if self.continues else seed.context

    def rewrite_request(
        self, seed: Seed, candidate_id: str, run_seed: int, deadline_s: float
    ) -> GenerationRequest:
        """The request for a new instruction; the prompt shows earlier turns as text."""
        if self.template is None:
            raise ValueError(f"{self.name} keeps instructions: expected no rewrite request")
        prompt = _rendered(self.template, seed.instruction, self.context(seed), self.chat)
        stage = _Stage("rewrite", candidate_id, run_seed, deadline_s)
        return _request(prompt, prompt.turns, self.chat, self.sampling, stage)

    def clean(self, text: str) -> str:
        """The instruction without wrapping that small models add: a label, quotes, a fence."""
        return clean_instruction(text)


@dataclass(frozen=True, slots=True)
class ResponseAgent:
    """A^R of the paper's eq. 2: answers the *new* instruction, as the old response would not fit it."""

    name: str
    model: str
    template: PromptTemplate
    sampling: Sampling
    chat: bool = True
    keeps_reasoning: bool = False
    """Whether what the model thought is kept beside its answer."""

    def answer_request(
        self, context: Conversation, instruction: str, candidate_id: str, run_seed: int, deadline_s: float
    ) -> GenerationRequest:
        """The request for an answer to an instruction after `context`: system prompt and earlier turns."""
        prompt = _rendered(self.template, instruction, context, self.chat)
        stage = _Stage("answer", candidate_id, run_seed, deadline_s)
        return _request(prompt, _continued(prompt.turns, context), self.chat, self.sampling, stage)

    def clean(self, text: str) -> str:
        """The answer without surrounding white space. Labels, quotes and fences may be part of the answer."""
        return text.strip()

    def exchange(self, context: Conversation, instruction: str, generation: Generation) -> Conversation:
        """The conversation with the instruction and its answer, and the answer's reasoning if it is kept."""
        thought = generation.reasoning.strip() if self.keeps_reasoning else ""
        answer = Message("assistant", self.clean(generation.text), thought or None)
        return (*context, Message("user", instruction), answer)


@dataclass(frozen=True, slots=True)
class AgentPair:
    """f_jk of the paper's eq. 2: one agent rewrites the instruction, the other answers it."""

    instruction: InstructionAgent
    response: ResponseAgent

    @property
    def name(self) -> str:
        return f"{self.instruction.name}+{self.response.name}"


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
    """A line for every prompt that does not show the turns before the instruction. Response agents of chat
    models don't need to: they receive the conversation as turns."""
    agents = agents_from_config(config)
    found = [("instruction", agent.name, agent.template) for agent in agents.instruction.values()]
    found += [("response", a.name, a.template) for a in agents.response.values() if not a.chat]
    return [
        f"note: agents.{role}.{name}.prompt: {template.filename} has no {{{{ history }}}}, so the agent sees "
        "no system prompt and no earlier turns"
        for role, name, template in found
        if template is not None and "history" not in template.variables
    ]


def candidate_id(seed: Seed, pair: str) -> str:
    """The id of this pair's candidate for this seed, stable across retries and resumed runs."""
    return stable_id(seed.seed_id, pair)


def history_text(context: Conversation) -> str:
    """Turns as text, for prompts that show them and for base models. No turn can imitate another."""
    return "\n".join(f"{turn.role.capitalize()}: {as_part(turn.content)}" for turn in context)


def _rendered(template: PromptTemplate, instruction: str, context: Conversation, chat: bool) -> Prompt:
    """The instruction is a turn for chat models and part of a single text for base models."""
    shown = as_turn(instruction) if chat else as_part(instruction)
    return template.render_for(chat, instruction=shown, history=history_text(context))


# "Sure! Here's a rewritten version of the instruction:"
_INTRO = re.compile(
    r"(?:(?:sure|certainly|of course)\W{1,3})?here(?:'s|\u2019s| is)\b[^\n:]{0,60}"
    r"\b(?:instruction|prompt|version|question|task|rewrite)\b[^\n:]{0,60}:\s*",
    re.IGNORECASE,
)
# "New instruction:", "**Instruction:**"
_LABEL = re.compile(
    r"[*#\s]*(?:instructions?|(?:the\s)?(?:new|rewritten|revised|updated|improved|deeper)\s"
    r"(?:instruction|prompt|question|task|version))\**\s*:[*\s]*",
    re.IGNORECASE,
)
_FENCE = re.compile(r"(`{3,})[^\n`]*\n(.*?)\n?\1", re.DOTALL)
_QUOTES = {'"': '"', "\u201c": "\u201d", "'": "'", "\u00ab": "\u00bb"}


def clean_instruction(text: str) -> str:
    """The text without a leading introduction or label and without enclosing quotes or fence."""
    text = _unfenced(text.strip())
    intro = _INTRO.match(text)
    text = text[intro.end() :] if intro else text
    label = _LABEL.match(text)
    text = text[label.end() :] if label else text
    return _unquoted(_unfenced(text.strip()), commented=intro is not None).strip()


def _unfenced(text: str) -> str:
    fence = _FENCE.fullmatch(text)
    return fence[2].strip() if fence else text


def _unquoted(text: str, commented: bool) -> str:
    """Remove quotes that enclose everything; after an introduction, also remove a comment that follows
    them."""
    closing = _QUOTES.get(text[:1])
    if closing is None:
        return text
    inside, found, after = text[1:].partition(closing)
    if found and (not after or (commented and after.startswith("\n"))):
        return inside
    return text


def _sampling(agent: AgentConfig, model: ModelConfig | None = None) -> Sampling:
    thinking = model.thinking_budget if model is not None else 0
    return Sampling(agent.temperature, agent.top_p, agent.max_tokens, tuple(agent.stop), thinking)


@dataclass(frozen=True, slots=True)
class _Stage:
    """The source of a request's id and random seed."""

    name: str
    candidate_id: str
    run_seed: int
    deadline_s: float


def _request(
    prompt: Prompt, turns: Conversation, chat: bool, sampling: Sampling, stage: _Stage
) -> GenerationRequest:
    as_chat = bool(prompt.turns) and chat
    return GenerationRequest(
        request_id=f"{stage.candidate_id}-{stage.name}",
        sampling=replace(sampling, stop=(*sampling.stop, *prompt.stop)) if prompt.stop else sampling,
        seed=stable_seed(str(stage.run_seed), stage.candidate_id, stage.name),
        messages=turns if as_chat else None,
        prompt=None if as_chat else prompt.raw,
        deadline_s=stage.deadline_s,
    )


def _continued(turns: Conversation, context: Conversation) -> Conversation:
    """The seed's conversation up to the instruction, merged with the prompt's system text and example turns.

    System texts are joined, the seed's first, as only one is allowed. Examples come before the conversation,
    so that the instruction still follows its own context.
    """
    context = tuple(Message(turn.role, as_turn(turn.content)) for turn in context)
    system = [turn.content for turn in (*context, *turns) if turn.role == "system"]
    spoken = [turn for turn in turns if turn.role != "system"]
    earlier = [turn for turn in context if turn.role != "system"]
    first = [Message("system", "\n\n".join(system))] if system else []
    return (*first, *spoken[:-1], *earlier, *spoken[-1:])
