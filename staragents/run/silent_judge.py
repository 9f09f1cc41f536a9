"""Ends a run whose judge never gives a readable verdict: it would pay for every seed and replace none."""

from __future__ import annotations

from staragents.agents.verdict import STILL_THINKING
from staragents.analysis.advice import thought_remedy
from staragents.config import Config, Reasoning

LEAST, MOST = 10, 50
PART = 20
"""One candidate of this many is tried, within LEAST and MOST."""


def candidates_tried(config: Config, seeds: int) -> int:
    """How many candidates without a readable verdict, and none with one, end a run of `seeds` seeds."""
    return min(MOST, max(LEAST, seeds * config.candidates_per_seed // PART))


def silence(config: Config, seeds: int, verdicts: int, unreadable: int, first: str) -> str:
    """Why the run must end, or an empty string. `first`: why the first verdict was unreadable."""
    if verdicts or unreadable < candidates_tried(config, seeds):
        return ""
    reason = f"; the first: {first}" if first else ""
    return (
        f"the judge gave no readable verdict on any of {unreadable} candidates: try {remedy(config, first)}, "
        f"with a new output.dir{reason}"
    )


def remedy(config: Config, first: str) -> str:
    """The likely settings."""
    judge = config.judge.model
    if first.startswith(STILL_THINKING):
        model = config.models[judge]
        return thought_remedy(judge, model.reasoning is Reasoning.off, model.thinking_tokens)
    return f"judge.reason=false, models.{judge}.reasoning=off if it thinks, or another judge.model"
