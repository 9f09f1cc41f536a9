"""Whether a student's weights, gradients and optimiser fit into memory, before they are loaded."""

from __future__ import annotations

import psutil

from staragents.base.errors import BadInput
from staragents.config import EvaluationConfig
from staragents.evaluation.defaults import completed
from staragents.models.model_size import GIB, bytes_per_weight, size_of

FULL_BYTES = 16
"""A parameter in float32 with its gradient and the two moments of Adam."""
LORA_SHARE = 0.05
"""Upper bound of the adapter's parameters, as a share of the model's, at usual ranks."""


def training_bytes(model: str, settings: EvaluationConfig, on_gpu: bool) -> int | None:
    """Weights, gradients and optimiser, without activations; None if the model's size is unknown."""
    size = size_of(model)
    if size is None:
        return None
    if not completed(settings, model).lora_rank:
        return size.parameters * FULL_BYTES
    weights = size.weight_bytes(bytes_per_weight(settings.dtype, on_gpu))
    return weights + round(size.parameters * LORA_SHARE) * FULL_BYTES


def check_memory(model: str, settings: EvaluationConfig, on_gpu: bool) -> None:
    """Raises BadInput with the arithmetic if the student does not fit into what is free on this machine."""
    need = training_bytes(model, settings, on_gpu)
    if need is None:
        return
    if on_gpu:
        import torch

        free, where = torch.cuda.mem_get_info()[0], "of GPU memory"
    else:
        free, where = psutil.virtual_memory().available, "of memory"
    if need <= free:
        return
    rank = completed(settings, model).lora_rank
    what = "weights and adapters" if rank else "weights, gradients and optimiser"
    instead = "a smaller student" if rank else "a smaller student or evaluation.lora_rank=16"
    raise BadInput(
        f"evaluation.student: {model} does not fit: training needs {need / GIB:.1f} GiB {where} for {what}, "
        f"{free / GIB:.1f} GiB are free; use {instead}"
    )
