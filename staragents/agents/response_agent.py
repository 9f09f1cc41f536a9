"""An agent that answers instructions: its request, and the conversation with its answer."""

from __future__ import annotations

from dataclasses import dataclass

from staragents.agents.agent_request import Stage, agent_request, filled_prompt
from staragents.agents.prompt_templates import PromptTemplate
from staragents.base.generation import Generation, GenerationRequest, Sampling
from staragents.base.messages import Conversation, Message
from staragents.text.untrusted_text import as_turn


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
        prompt = filled_prompt(self.template, instruction, context, self.chat)
        stage = Stage("answer", candidate_id, run_seed, deadline_s)
        return agent_request(prompt, _continued(prompt.turns, context), self.chat, self.sampling, stage)

    def clean(self, text: str) -> str:
        """The answer without surrounding white space. Labels, quotes and fences may be part of the answer."""
        return text.strip()

    def exchange(self, context: Conversation, instruction: str, generation: Generation) -> Conversation:
        """The conversation with the instruction and its answer, and the answer's reasoning if it is kept."""
        thought = generation.reasoning.strip() if self.keeps_reasoning else ""
        answer = Message("assistant", self.clean(generation.text), thought or None)
        return (*context, Message("user", instruction), answer)


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
