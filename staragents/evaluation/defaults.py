"""Defaults of training that depend on the student."""

from __future__ import annotations

from dataclasses import replace

from staragents.config import EvaluationConfig
from staragents.models.model_size import size_of

FULL_UP_TO = 1_000_000_000
"""Parameters up to which all weights are trained."""
DEFAULT_RANK = 16
FULL_RATE, LORA_RATE = 2e-5, 2e-4
MOST_STEP_TOKENS, FEWEST_STEPS = 1024, 20
"""A student that takes a few steps hardly leaves its first weights."""


def step_tokens_for(tokens: int) -> int:
    """Answer tokens of a step for a student that learns so many."""
    return max(1, min(MOST_STEP_TOKENS, tokens // FEWEST_STEPS))


def completed(settings: EvaluationConfig, model: str) -> EvaluationConfig:
    """The settings with the rank of adapters and the learning rate that apply to `model`. A model of unknown
    size (a hub id that is not cached) gets adapters."""
    rank = settings.lora_rank
    if rank is None:
        size = size_of(model)
        rank = 0 if size is not None and size.parameters <= FULL_UP_TO else DEFAULT_RANK
    rate = settings.learning_rate or (LORA_RATE if rank else FULL_RATE)
    return replace(settings, lora_rank=rank, learning_rate=rate)
