"""Defaults of training that depend on the student."""

from __future__ import annotations

from dataclasses import replace

from staragents.config import EvaluationConfig
from staragents.models.hub_size import hub_parameters
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


def completed(settings: EvaluationConfig, model: str, revision: str | None = None) -> EvaluationConfig:
    """The settings with the rank of adapters and the learning rate that apply to `model`, of a hub id at the
    commit `revision`. A model whose weights are not in safetensors gets adapters.

    Whether its weights are cached changes nothing: otherwise the students of the first call, which downloads
    them, were not those of the second. Raises BadInput if the size can't be found out, TemporaryFailure if
    the hub was too slow or too busy.
    """
    rank = settings.lora_rank
    if rank is None:
        parameters = _parameters(model, revision)
        rank = 0 if parameters is not None and parameters <= FULL_UP_TO else DEFAULT_RANK
    rate = settings.learning_rate or (LORA_RATE if rank else FULL_RATE)
    return replace(settings, lora_rank=rank, learning_rate=rate)


def _parameters(model: str, revision: str | None) -> int | None:
    size = size_of(model)
    if size is not None:
        return size.parameters
    try:
        return hub_parameters(model, revision)
    except Exception as error:  # the hub and its HTTP client raise their own types
        from staragents.scoring.model_loading import load_failure

        unknown = f"evaluation.lora_rank: expected 0 or a rank, as the size of {model} can't be found out"
        raise load_failure(unknown, error) from error
