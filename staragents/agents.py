"""Agents: names for (model, role, prompt, sampling), and the requests they make of an engine."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace

from staragents.config import AgentConfig, Config
from staragents.errors import BadInput
from staragents.generation import GenerationRequest, Sampling
from staragents.messages import Conversation, Message
from staragents.prompt_templates import Prompt, PromptTemplate, load_prompt, prompt_path
from staragents.records import Seed, stable_id, stable_seed
from staragents.untrusted_text import as_part, as_turn

KEEP = "keep"
"""The prompt of an instruction agent that leaves instructions as they are and needs no model."""


@dataclass(frozen=True, slots=True)
class InstructionAgent:
    """A^I of the paper's eq. 2: rewrites the last user turn of a seed, or writes one more."""

    name: str
    model: str
    template: PromptTemplate | None
    sampling: Sampling
    chat: bool = True

    @property
    def keeps(self) -> bool:
        """It leaves every instruction as it is, so there is nothing to ask an engine."""
        return self.template is None

    @property
    def continues(self) -> bool:
        """Its instructions come after the seed's last turn, and replace none."""
        return self.template is not None and self.template.continues

    def context(self, seed: Seed) -> Conversation:
        """The turns that come before its instruction."""
        return seed.messages if self.continues else seed.context

    def rewrite_request(
        self, seed: Seed, candidate_id: str, run_seed: int, deadline_s: float
    ) -> GenerationRequest:
        """Ask for a new instruction; the turns before it are shown as text."""
        if self.template is None:
            raise ValueError(f"{self.name} keeps instructions: there is no rewrite to ask for")
        prompt = _rendered(self.template, seed.instruction, self.context(seed), self.chat)
        stage = _Stage("rewrite", candidate_id, run_seed, deadline_s)
        return _request(prompt, prompt.turns, self.chat, self.sampling, stage)

    def clean(self, text: str) -> str:
        """The instruction without what small models wrap round it: a label, quotes, a fence."""
        return clean_instruction(text)


@dataclass(frozen=True, slots=True)
class ResponseAgent:
    """A^R of the paper's eq. 2, given the *new* instruction: an answer to the old one would not fit it."""

    name: str
    model: str
    template: PromptTemplate
    sampling: Sampling
    chat: bool = True

    def answer_request(
        self, context: Conversation, instruction: str, candidate_id: str, run_seed: int, deadline_s: float
    ) -> GenerationRequest:
        """Ask for the answer to an instruction that follows `context`: system prompt and earlier turns."""
        prompt = _rendered(self.template, instruction, context, self.chat)
        stage = _Stage("answer", candidate_id, run_seed, deadline_s)
        return _request(prompt, _continued(prompt.turns, context), self.chat, self.sampling, stage)

    def clean(self, text: str) -> str:
        """The answer without surrounding white space; labels, quotes and fences may be what was asked for."""
        return text.strip()


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
    """All agents of a run by name; the same name may stand in both roles."""

    instruction: dict[str, InstructionAgent]
    response: dict[str, ResponseAgent]


def agents_from_config(config: Config) -> Agents:
    """Every agent with its template read and checked. Raises BadInput with all bad templates at once."""
    problems: list[str] = []
    instruction: dict[str, InstructionAgent] = {}
    response: dict[str, ResponseAgent] = {}
    for name, agent in config.agents.instruction.items():
        if agent.prompt == KEEP:
            instruction[name] = InstructionAgent(name, "", None, _sampling(agent))
        elif template := _template("instruction", name, agent, config, problems):
            chat = config.models[agent.model].chat
            instruction[name] = InstructionAgent(name, agent.model, template, _sampling(agent), chat)
    for name, agent in config.agents.response.items():
        if template := _template("response", name, agent, config, problems):
            chat = config.models[agent.model].chat
            response[name] = ResponseAgent(name, agent.model, template, _sampling(agent), chat)
    if problems:
        raise BadInput(problems)
    return Agents(instruction, response)


def prompt_hashes(config: Config) -> dict[str, str]:
    """sha256 of every agent's template file by its dotted key: an edited prompt is another run."""
    hashes = {}
    for role, agents in (("instruction", config.agents.instruction), ("response", config.agents.response)):
        for name, agent in agents.items():
            if agent.prompt != KEEP:
                text = prompt_path(role, agent.prompt).read_bytes()
                hashes[f"agents.{role}.{name}.prompt"] = hashlib.sha256(text).hexdigest()
    return hashes


def pairs_from_config(config: Config) -> dict[str, AgentPair]:
    """Every pair of the run by its name, in the config's order. Raises BadInput."""
    agents = agents_from_config(config)
    pairs = {}
    for name in config.pairs:
        left, _, right = name.partition("+")
        pairs[name] = AgentPair(agents.instruction[left], agents.response[right])
    return pairs


def history_notes(config: Config) -> list[str]:
    """A line for every prompt that shows nothing of what comes before the instruction. Response agents of
    chat models need no place for it: they continue the conversation itself."""
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
    """The id of what this pair makes of this seed, the same in every retry and resumed run."""
    return stable_id(seed.seed_id, pair)


def history_text(context: Conversation) -> str:
    """Turns as text, for prompts that show them and for base models. No turn can pose as two."""
    return "\n".join(f"{turn.role.capitalize()}: {as_part(turn.content)}" for turn in context)


def _rendered(template: PromptTemplate, instruction: str, context: Conversation, chat: bool) -> Prompt:
    """An instruction is a turn of a chat, or a part of the one text that a base model continues."""
    shown = as_turn(instruction) if chat else as_part(instruction)
    return template.render(instruction=shown, history=history_text(context))


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
    """The text without an introduction or label before it and quotes or a fence all round it."""
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
    """Quotes go if they enclose everything; after an introduction, also what comments on the quoted text."""
    closing = _QUOTES.get(text[:1])
    if closing is None:
        return text
    inside, found, after = text[1:].partition(closing)
    if found and (not after or (commented and after.startswith("\n"))):
        return inside
    return text


def _sampling(agent: AgentConfig) -> Sampling:
    return Sampling(agent.temperature, agent.top_p, agent.max_tokens, tuple(agent.stop))


def _template(
    role: str, name: str, agent: AgentConfig, config: Config, problems: list[str]
) -> PromptTemplate | None:
    key = f"agents.{role}.{name}.prompt"
    try:
        template = load_prompt(role, agent.prompt)
    except BadInput as error:
        problems += [f"{key}: {problem}" for problem in error.problems]
        return None
    if not config.models[agent.model].chat and not template.has_raw:
        problems.append(
            f"{key}: expected a template with a raw block, as models.{agent.model}.chat is false, "
            f"got {agent.prompt}"
        )
        return None
    return template


@dataclass(frozen=True, slots=True)
class _Stage:
    """One piece of work: what a request's id and random seed are made of."""

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
        sampling=replace(sampling, stop=(*sampling.stop, *prompt.stop)),
        seed=stable_seed(str(stage.run_seed), stage.candidate_id, stage.name),
        messages=turns if as_chat else None,
        prompt=None if as_chat else prompt.raw,
        deadline_s=stage.deadline_s,
    )


def _continued(turns: Conversation, context: Conversation) -> Conversation:
    """The seed's conversation up to the instruction, with the prompt's own system text and example turns.

    System texts are joined, the seed's first: there may be only one. Examples come before the conversation,
    so that the instruction still follows the turns that it continues.
    """
    context = tuple(Message(turn.role, as_turn(turn.content)) for turn in context)
    system = [turn.content for turn in (*context, *turns) if turn.role == "system"]
    spoken = [turn for turn in turns if turn.role != "system"]
    earlier = [turn for turn in context if turn.role != "system"]
    first = [Message("system", "\n\n".join(system))] if system else []
    return (*first, *spoken[:-1], *earlier, *spoken[-1:])
