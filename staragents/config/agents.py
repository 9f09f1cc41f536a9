"""Agents and their pairs."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class AgentConfig:
    """A name for (model, prompt, sampling). The role is the section it stands in."""

    model: str = ""
    """A name from `models`; empty only for the prompt `keep`, which needs no model."""
    prompt: str = ""
    """A template we ship (see staragents/prompts), or the path of your own .j2 file."""
    temperature: float = 0.7
    """0 is greedy; rewriting profits from variety."""
    top_p: float = 0.95
    """Nucleus sampling."""
    max_tokens: int = 512
    """An answer that reaches it is cut off, hence rejected."""
    stop: list[str] = field(default_factory=list)
    """Texts that end the answer."""


@dataclass
class AgentsConfig:
    """Who rewrites instructions and who answers them."""

    instruction: dict[str, AgentConfig] = field(default_factory=dict)
    """Instruction agents by name. The prompt `keep` leaves the instruction as it is (the paper's runs)."""
    response: dict[str, AgentConfig] = field(default_factory=dict)
    """Response agents by name."""
    pairs: list[str] | None = None
    """`instruction+response` names; unset: every combination."""
    base_pairs: list[str] = field(default_factory=list)
    """Pairs called for every seed, whatever the policy thinks (paper 3.1)."""
    keep_language: bool = True
    """Reject a rewrite or an answer that is certainly in another language than its seed (`other_language`).
    Off: for agents that are meant to translate."""
    retired: list[str] = field(default_factory=list)
    """Agents or pairs that are drawn no more, such as those of a model that is gone. What was learnt about
    them stays. May change when a run is resumed, and new agents and models may come."""
