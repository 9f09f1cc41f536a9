"""A pair of agents, and the ids of its candidates."""

from __future__ import annotations

from dataclasses import dataclass

from staragents.agents.instruction_agent import InstructionAgent
from staragents.agents.response_agent import ResponseAgent
from staragents.base.records import Seed, stable_id


@dataclass(frozen=True, slots=True)
class AgentPair:
    """f_jk of the paper's eq. 2: one agent rewrites the instruction, the other answers it."""

    instruction: InstructionAgent
    response: ResponseAgent

    @property
    def name(self) -> str:
        return f"{self.instruction.name}+{self.response.name}"


def candidate_id(seed: Seed, pair: str) -> str:
    """The id of this pair's candidate for this seed, stable across retries and resumed runs."""
    return stable_id(seed.seed_id, pair)
