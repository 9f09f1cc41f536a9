"""Start scorer actors."""

from __future__ import annotations

from typing import Any

import ray

from actors.scorer import Scorer, scorer_environment
from staragents.config import ScorerModelConfig, ScoringConfig
from staragents.models.packaged_models import resolve_model
from staragents.scoring.open_model import FAKE


def scorer_name(role: str, index: int, run_name: str) -> str:
    return f"scorer-{role}-{index}-{run_name}"


def start_scorer(scoring: ScoringConfig, role: str, name: str) -> Any:
    """A named actor for the model of `role`, restarted by Ray whenever it dies. `start` loads the model."""
    model: ScorerModelConfig = getattr(scoring, role)
    fake = model.model == FAKE
    return (
        ray.remote(Scorer)
        .options(
            name=name,
            num_cpus=0 if fake else model.num_cpus,
            num_gpus=model.num_gpus,
            resources=model.resources,
            max_restarts=-1,
            runtime_env={"env_vars": scorer_environment(model)},
        )
        .remote(role, model, scoring, FAKE if fake else resolve_model(model.model))
    )
