"""Attention over packed documents that do not attend to each other, as a transformers attention function."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from typing import Any

import torch
from torch.nn import functional
from transformers import AttentionInterface

NAME = "staragents_packed"

# (query, key, value: [heads, tokens, size]; offsets; cu_seqlens; scale; window) -> [tokens, heads, size]
Kernel = Callable[..., torch.Tensor]


def register(device: str, dtype: torch.dtype) -> str:
    """Register the fastest available kernel as attention NAME; returns the kernel's name.

    In this order: flash-attn's variable-length kernel if installed, torch's, or scaled dot-product attention
    per document. The first two need CUDA and a 16-bit dtype.
    """
    name, kernel = next(iter(kernels(device, dtype).items()))

    def attend(
        module: torch.nn.Module,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attention_mask: torch.Tensor | None,
        *,
        scaling: float | None = None,
        sliding_window: int | None = None,
        softcap: float | None = None,
        document_offsets: tuple[int, ...] = (),
        cu_seq_lens_q: torch.Tensor | None = None,
        **_: Any,
    ) -> tuple[torch.Tensor, None]:
        # Raised while the model is loaded (`PackedBackbone.works`), which then falls back to padding.
        if softcap is not None or query.shape[0] != 1 or not document_offsets:
            raise NotImplementedError("expected one row with document offsets and no softcap")
        out = kernel(query[0], key[0], value[0], document_offsets, cu_seq_lens_q, scaling, sliding_window)
        return out[None], None

    AttentionInterface.register(NAME, attend)
    return name


def kernels(device: str, dtype: torch.dtype) -> dict[str, Kernel]:
    """The available kernels by name, the fastest first."""
    found: dict[str, Kernel] = {}
    if device == "cuda" and dtype in (torch.bfloat16, torch.float16):
        with suppress(ImportError):
            from flash_attn import flash_attn_varlen_func

            found["flash-attn varlen"] = _varlen(flash_attn_varlen_func, "softmax_scale", causal=True)
        with suppress(ImportError):
            from torch.nn.attention.varlen import varlen_attn

            # Torch 2.11 lacks them; without them, windows and shared heads would need a kernel of their own.
            if {"window_size", "enable_gqa"} <= inspect.signature(varlen_attn).parameters.keys():
                found["torch varlen"] = _varlen(varlen_attn, "scale", enable_gqa=True)
    found["SDPA by document"] = _by_document
    return found


def _by_document(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    offsets: tuple[int, ...],
    _: torch.Tensor | None,
    scale: float | None,
    window: int | None,
) -> torch.Tensor:
    grouped = len(query) != len(key)
    out = query.new_empty(query.shape[1], len(query), value.shape[-1])
    for start, end in pairwise(offsets):
        mask = _band(end - start, window, query.device) if window and end - start > window else None
        document = functional.scaled_dot_product_attention(
            query[None, :, start:end],
            key[None, :, start:end],
            value[None, :, start:end],
            attn_mask=mask,
            is_causal=mask is None,
            scale=scale,
            enable_gqa=grouped,
        )
        out[start:end] = document[0].transpose(0, 1)
    return out


def _band(length: int, window: int, device: torch.device) -> torch.Tensor:
    """True where position i may attend to j: j <= i and i - j < window."""
    distance = torch.arange(length, device=device)[:, None] - torch.arange(length, device=device)
    return (distance >= 0) & (distance < window)


def _varlen(attend: Callable[..., Any], scale_name: str, **options: bool) -> Kernel:
    """flash-attn's and torch's kernels differ only in argument names."""

    def kernel(
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        offsets: tuple[int, ...],
        cu_seqlens: torch.Tensor,
        scale: float | None,
        window: int | None,
    ) -> torch.Tensor:
        longest = max(end - start for start, end in pairwise(offsets))
        out: torch.Tensor = attend(
            query.transpose(0, 1),
            key.transpose(0, 1),
            value.transpose(0, 1),
            cu_seqlens,
            cu_seqlens,
            longest,
            longest,
            window_size=(window - 1 if window else -1, 0),
            **{scale_name: scale},
            **options,
        )
        return out

    return kernel
