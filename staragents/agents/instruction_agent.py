"""An agent that writes instructions: its request, and how the model's text is cleaned."""

from __future__ import annotations

from dataclasses import dataclass

from staragents.agents.agent_request import Stage, agent_request, filled_prompt
from staragents.agents.clean_instruction import clean_instruction
from staragents.agents.prompt_templates import PromptTemplate
from staragents.base.generation import GenerationRequest, Sampling
from staragents.base.messages import Conversation
from staragents.base.records import Seed


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
        prompt = filled_prompt(self.template, seed.instruction, self.context(seed), self.chat)
        stage = Stage("rewrite", candidate_id, run_seed, deadline_s)
        return agent_request(prompt, prompt.turns, self.chat, self.sampling, stage)

    def clean(self, text: str) -> str:
        """The instruction without wrapping that small models add: a label, quotes, a fence."""
        return clean_instruction(text)
