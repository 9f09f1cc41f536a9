"""A model's backbone on rows padded to the longest of the batch, which works for every architecture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from staragents.scoring.conventions import Span
from staragents.scoring.packing import pack_padded


class PaddedBackbone:
    """Runs spans of similar length together."""

    def __init__(self, model: Any) -> None:
        self._backbone = model.base_model

    def batches(self, lengths: Sequence[int], budget: int) -> list[list[int]]:
        """Indices of `lengths` (tokens) that share a batch of at most `budget` tokens, padding included."""
        return pack_padded(lengths, budget)

    def hidden(self, spans: Sequence[Span]) -> torch.Tensor:
        """Last hidden states [answer tokens of all spans, d] predicting the answer tokens, in span order."""
        inputs = torch.zeros(len(spans), max(len(span.ids) for span in spans) - 1, dtype=torch.long)
        for row, span in enumerate(spans):
            inputs[row, : len(span.ids) - 1] = torch.tensor(span.ids[:-1])
        # Padding on the right is invisible to real tokens under causal attention, and real tokens keep the
        # default positions 0, 1, ... An explicit mask would give the same values, but scaled dot-product
        # attention would lose its causal fast path.
        states = self._backbone(input_ids=inputs.to(self._backbone.device), use_cache=False).last_hidden_state
        return torch.cat([states[row, span.start - 1 : len(span.ids) - 1] for row, span in enumerate(spans)])
