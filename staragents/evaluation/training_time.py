"""How long training takes, before anything is measured."""

from __future__ import annotations

from staragents.config import EvaluationConfig
from staragents.models.model_size import size_of

CPU_FLOPS = 4e10
"""A second of one core's time, measured with SmolLM2-135M in float32 on a small server."""
GPU_FLOPS = 1e14
"""A second, by one data-centre GPU in bfloat16 with batches of a few thousand tokens."""


def seconds_for(student: str, passes: int, settings: EvaluationConfig) -> float | None:
    """Seconds for so many token passes (`Plan.work`) on the resources of one student, by 2 operations a
    parameter; right within a factor of about three. None if the size of the model is unknown."""
    size = size_of(student)
    if size is None:
        return None
    speed = settings.num_gpus * GPU_FLOPS or settings.num_cpus * CPU_FLOPS
    return 2 * size.parameters * passes / speed
