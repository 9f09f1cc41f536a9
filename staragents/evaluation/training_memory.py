"""Whether a student's weights, gradients and optimiser fit into memory, before they are loaded."""

from __future__ import annotations

import socket

import psutil

from staragents.base.errors import BadInput
from staragents.config import EvaluationConfig
from staragents.evaluation.defaults import completed
from staragents.models.model_size import GIB, bytes_per_weight, size_of

FULL_BYTES = 16
"""A parameter in float32 with its gradient and the two moments of Adam."""
LORA_SHARE = 0.05
"""Upper bound of the adapter's parameters, as a share of the model's, at usual ranks."""
CPU_PART_TOKENS = 1024
"""Padded tokens in one forward and backward pass, unless a single row is longer."""
PART_BYTES, PART_PARAMETERS = 5 * GIB // 2, 135_000_000
"""Activations of so many tokens take so many bytes in a model of so many parameters, by measurement."""
LARGE = 1_000_000_000
"""Parameters above which activations are computed twice instead of kept."""


def training_bytes(model: str, settings: EvaluationConfig, on_gpu: bool) -> int | None:
    """Weights, gradients and optimiser, without activations; None if the model's size is unknown."""
    size = size_of(model)
    if size is None:
        return None
    if not completed(settings, model).lora_rank:
        return size.parameters * FULL_BYTES
    weights = size.weight_bytes(bytes_per_weight(settings.dtype, on_gpu))
    return weights + round(size.parameters * LORA_SHARE) * FULL_BYTES


def reserved_bytes(model: str, settings: EvaluationConfig) -> int | None:
    """What a student on CPUs may take in all, with activations; None if the model's size is unknown.

    Activations grow with layers times width, about the square root of the number of parameters.
    """
    need, size = training_bytes(model, settings, on_gpu=False), size_of(model)
    if need is None or size is None:
        return None
    scale = (min(size.parameters, LARGE) / PART_PARAMETERS) ** 0.5
    tokens = max(CPU_PART_TOKENS, settings.max_length)
    return need + round(PART_BYTES * scale * tokens / CPU_PART_TOKENS)


def check_free(model: str, settings: EvaluationConfig) -> None:
    """Raises BadInput with the arithmetic if the student, trained on CPUs, does not fit into what is free on
    this machine."""
    free = psutil.virtual_memory().available
    _check(model, settings, free, "of memory", f"{free / GIB:.1f} GiB are free")


def check_machine(model: str, settings: EvaluationConfig) -> None:
    """Raises BadInput with the arithmetic if the student can't fit on this machine, or on its share of the
    GPU, whatever other students use at the moment: Ray starts no more than there is room for."""
    host = socket.gethostname()
    if not settings.num_gpus:
        whole = psutil.virtual_memory().total
        _check(model, settings, whole, "of memory", f"{host} has {whole / GIB:.1f} GiB")
        return
    import torch

    free, whole = torch.cuda.mem_get_info()
    if settings.num_gpus == 1:
        _check(model, settings, free, "of GPU memory", f"{free / GIB:.1f} GiB are free on {host}")
        return
    share = round(whole * settings.num_gpus)
    part = f"evaluation.num_gpus={settings.num_gpus:g} is {share / GIB:.1f} GiB on {host}"
    _check(model, settings, share, "of GPU memory", part)


def _check(model: str, settings: EvaluationConfig, room: int, kind: str, found: str) -> None:
    need = training_bytes(model, settings, settings.num_gpus > 0)
    if need is None or need <= room:
        return
    rank = completed(settings, model).lora_rank
    what = "weights and adapters" if rank else "weights, gradients and optimiser"
    instead = "a smaller student" if rank else "a smaller student or evaluation.lora_rank=16"
    raise BadInput(
        f"evaluation.student: {model} does not fit: training needs {need / GIB:.1f} GiB {kind} for {what}, "
        f"{found}; use {instead}"
    )
