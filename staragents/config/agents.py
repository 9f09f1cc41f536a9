"""Agents and their pairs."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated

from staragents.config.marks import ONE_OR_MORE, POSITIVE_SHARE, ZERO_OR_MORE, Location, Mark


class KeptReasoning(StrEnum):
    drop = "drop"
    keep = "keep"


@dataclass
class AgentConfig:
    """A named combination of model, prompt and sampling. Its section determines its role."""

    model: str = ""
    """A name from `models`. Only the prompt `keep` needs none."""
    prompt: Annotated[str, Location()] = ""
    """A built-in template (see staragents/agents/prompts) or the path of your own .j2 file."""
    temperature: Annotated[float, ZERO_OR_MORE] = 0.7
    """0 is greedy; rewriting benefits from variety."""
    top_p: Annotated[float, POSITIVE_SHARE] = 0.95
    """Nucleus sampling threshold."""
    max_tokens: Annotated[int, ONE_OR_MORE] = 512
    """Maximum new tokens. An output that reaches the limit is truncated and therefore rejected."""
    stop: list[str] = field(default_factory=list)
    """Stop strings."""
    reasoning: Annotated[KeptReasoning, Mark.added] = KeptReasoning.drop
    """For response agents: keep what the model thought before its answer, as `reasoning_content` of the
    answer's turn, or drop it. It is never part of the content, and no agent or judge sees it. The reasoning
    of seeds is kept if an agent of any pair keeps its own."""


@dataclass
class AgentsConfig:
    """The agents that rewrite instructions and the agents that answer them."""

    instruction: Annotated[dict[str, AgentConfig], Mark.extensible] = field(default_factory=dict)
    """Instruction agents by name. The prompt `keep` leaves the instruction unchanged (as in the paper)."""
    response: Annotated[dict[str, AgentConfig], Mark.extensible] = field(default_factory=dict)
    """Response agents by name."""
    pairs: Annotated[list[str] | None, Mark.extensible] = None
    """Agent pairs as `instruction+response`. Unset: every combination."""
    base_pairs: list[str] = field(default_factory=list)
    """Pairs that run for every seed, regardless of the policy (paper 3.1)."""
    keep_language: bool = True
    """Reject a rewrite or an answer that is clearly in a different language from its seed (`other_language`).
    Turn it off for agents that translate."""
    retired: Annotated[list[str], Mark.live] = field(default_factory=list)
    """Agents or pairs that are no longer drawn, such as those of a model that was removed. The policy keeps
    what it learned about them."""
