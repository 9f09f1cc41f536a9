"""A model's body on rows padded to the longest of their batch: the way that every architecture goes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from staragents.scoring.conventions import Span
from staragents.scoring.packing import pack_padded


class PaddedBody:
    """Runs spans of about one length together."""

    name = "padded"

    def __init__(self, model: Any) -> None:
        self._body = model.base_model

    def batches(self, lengths: Sequence[int], budget: int) -> list[list[int]]:
        """Indices of `lengths` (tokens) that share a batch of at most `budget` tokens, padding included."""
        return pack_padded(lengths, budget)

    def hidden(self, spans: Sequence[Span]) -> torch.Tensor:
        """Last hidden states [answer tokens of all spans, d] that predict the answer tokens, span by span."""
        inputs = torch.zeros(len(spans), max(len(span.ids) for span in spans) - 1, dtype=torch.long)
        for row, span in enumerate(spans):
            inputs[row, : len(span.ids) - 1] = torch.tensor(span.ids[:-1])
        # Padding is on the right, so that causal attention never lets a real token see it, and real
        # tokens sit at the default positions 0, 1, ...: with an explicit mask the values are the same
        # and scaled-dot-product attention loses its causal fast path.
        states = self._body(input_ids=inputs.to(self._body.device), use_cache=False).last_hidden_state
        return torch.cat([states[row, span.start - 1 : len(span.ids) - 1] for row, span in enumerate(spans)])
