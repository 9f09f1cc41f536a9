"""An agent's request: its prompt filled in, its sampling, id and random seed."""

from __future__ import annotations

from dataclasses import dataclass, replace

from staragents.agents.history_text import history_text
from staragents.agents.prompt_templates import Prompt, PromptTemplate
from staragents.base.generation import GenerationRequest, Sampling
from staragents.base.messages import Conversation
from staragents.base.records import stable_seed
from staragents.text.untrusted_text import as_part, as_turn


@dataclass(frozen=True, slots=True)
class Stage:
    """The source of a request's id and random seed."""

    name: str
    candidate_id: str
    run_seed: int
    deadline_s: float


def filled_prompt(template: PromptTemplate, instruction: str, context: Conversation, chat: bool) -> Prompt:
    """The instruction is a turn, or part of a single text for base models and templates without turns."""
    shown = as_turn(instruction) if chat and template.has_turns else as_part(instruction)
    return template.render_for(chat, instruction=shown, history=history_text(context))


def agent_request(
    prompt: Prompt, turns: Conversation, chat: bool, sampling: Sampling, stage: Stage
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
