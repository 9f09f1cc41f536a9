"""Start scorer actors."""

from __future__ import annotations

from typing import Any

from actors.scorer import Scorer, scorer_environment
from actors.starting import start_actor
from staragents.config import ScorerModelConfig, ScoringConfig
from staragents.models.model_names import resolve_model
from staragents.scoring.open_model import FAKE


def scorer_name(role: str, index: int, run_name: str) -> str:
    return f"scorer-{role}-{index}-{run_name}"


def start_scorer(scoring: ScoringConfig, role: str, name: str) -> Any:
    """A named actor for the model of `role`. Its `start` loads the model."""
    model: ScorerModelConfig = getattr(scoring, role)
    fake = model.model == FAKE
    return start_actor(
        Scorer,
        name,
        *(role, model, scoring, FAKE if fake else resolve_model(model.model)),
        environment=scorer_environment(model),
        num_cpus=0 if fake else model.num_cpus,
        num_gpus=model.num_gpus,
        resources=model.resources,
    )
