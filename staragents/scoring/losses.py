"""Cross-entropy of target tokens without materialising the logits of a whole batch."""

from __future__ import annotations

import torch
from torch.nn import functional

# Maximum number of float32 logits in memory. 8 MiB on a CPU stay in its caches; the full vocabulary of a
# batch would be written to memory and read four times. A GPU is efficient with large products only.
_CPU_LOGITS = 1 << 21
_GPU_LOGITS = 1 << 28
SMALLEST_ROOM = 1 << 24
"""With fewer logits at a time, 64 MiB, a GPU saves no more memory that matters."""
# With fewer rows of the head, the matrix product is inefficient.
_MIN_BLOCK = 1024


def logits_room(device: torch.device) -> int:
    """How many logits at a time are fastest there."""
    return _CPU_LOGITS if device.type == "cpu" else _GPU_LOGITS


def token_nlls(
    hidden: torch.Tensor,
    targets: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    softcap: float | None = None,
    room: int | None = None,
) -> torch.Tensor:
    """-log softmax(cap(hidden @ weight.T + bias)) at `targets`, float32 [n] for any input dtype.

    `hidden` is [n, d], `targets` int64 [n], `weight` [vocab_size, d], `bias` [vocab_size]; `softcap` c means
    c tanh(x / c) as in Gemma 2. The vocabulary is processed in blocks of `room` logits with a running maximum
    and sum of the log-sum-exp, which is exact: log(s1 e^m1 + s2 e^m2) = m + log(s1 e^(m1-m) + s2 e^(m2-m)).
    """
    rows, vocab_size = len(hidden), len(weight)
    room = room or logits_room(hidden.device)
    block = min(vocab_size, max(_MIN_BLOCK, room // max(1, rows)))
    largest = torch.full((rows,), -torch.inf, device=hidden.device)
    total = torch.zeros(rows, device=hidden.device)
    for start in range(0, vocab_size, block):
        part = slice(start, start + block)
        logits = _capped(
            functional.linear(hidden, weight[part], None if bias is None else bias[part]).float(), softcap
        )
        peak = torch.maximum(largest, logits.amax(dim=1))
        total.mul_((largest - peak).exp_()).add_(logits.sub_(peak[:, None]).exp_().sum(dim=1))
        largest = peak
    return largest + total.log() - _target_logits(hidden, targets, weight, bias, softcap)


def _target_logits(
    hidden: torch.Tensor,
    targets: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    softcap: float | None,
) -> torch.Tensor:
    # Inputs in the head's dtype and accumulation in float32, as in the matrix product.
    logits = torch.linalg.vecdot(hidden.float(), weight[targets].float())
    if bias is not None:
        logits = logits + bias[targets].float()
    return _capped(logits, softcap)


def _capped(logits: torch.Tensor, softcap: float | None) -> torch.Tensor:
    return logits if softcap is None else torch.tanh(logits / softcap) * softcap
