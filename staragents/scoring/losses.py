"""Cross-entropy of chosen tokens without the logits of a whole batch."""

from __future__ import annotations

import torch
from torch.nn import functional

# Logits in memory at once, in elements of float32. On a CPU 8 MiB, so that they never leave its caches: the
# whole vocabulary of a batch would be written to memory and read four times over. A GPU wants large products.
_CPU_LOGITS = 1 << 21
_GPU_LOGITS = 1 << 28
# Below that a product with the head's weights is too thin to be fast.
_LEAST_WORDS = 1024


def token_nlls(
    hidden: torch.Tensor,
    targets: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    softcap: float | None = None,
) -> torch.Tensor:
    """-log softmax(cap(hidden @ weight.T + bias)) at `targets`, float32 [n], whatever the inputs' dtype.

    `hidden` is [n, d], `targets` int64 [n], `weight` [words, d], `bias` [words]; `softcap` c stands for
    c tanh(x / c) as in Gemma 2. The head's words are taken in blocks and their log-sum-exp is kept as a
    running maximum and sum, which is exact: log(s1 e^m1 + s2 e^m2) = m + log(s1 e^(m1-m) + s2 e^(m2-m)).
    """
    rows, words = len(hidden), len(weight)
    room = _GPU_LOGITS if hidden.is_cuda else _CPU_LOGITS
    block = min(words, max(_LEAST_WORDS, room // max(1, rows)))
    largest = torch.full((rows,), -torch.inf, device=hidden.device)
    total = torch.zeros(rows, device=hidden.device)
    for start in range(0, words, block):
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
    # Products in the head's own dtype and sums in float32, as a matrix product does both.
    logits = torch.linalg.vecdot(hidden.float(), weight[targets].float())
    if bias is not None:
        logits = logits + bias[targets].float()
    return _capped(logits, softcap)


def _capped(logits: torch.Tensor, softcap: float | None) -> torch.Tensor:
    return logits if softcap is None else torch.tanh(logits / softcap) * softcap
