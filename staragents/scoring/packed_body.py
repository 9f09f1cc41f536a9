"""A model's backbone on many spans packed into one row, with attention restricted to each span."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import torch

from staragents.scoring.conventions import Span
from staragents.scoring.packed_attention import NAME, register
from staragents.scoring.packing import pack_documents

logger = logging.getLogger(__name__)

# For a probe's hidden states: float32 differs in the sixth digit, bfloat16 in the second.
_MIN_COSINE = 0.999


class PackedBackbone:
    """Runs concatenated spans. Replaces the model's attention, which `PaddedBackbone` needs unchanged."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._backbone = model.base_model
        self._attention = model.config._attn_implementation
        self.kernel = register(self._backbone.device.type, model.dtype)

    def works(self) -> bool:
        """Whether packed documents stay independent in this model; if so, switches to our attention.

        Tested on a probe, because an architecture that ignores the offsets would silently leak between
        documents (axolotl#3796): a document must give the same result as alone, and identical bits whatever
        precedes it.
        """
        vocab_size = self._model.get_input_embeddings().weight.shape[0]
        first, other, long = (
            Span(tuple((seed + 7 * i) % vocab_size for i in range(length)), 1)
            for seed, length in ((3, 12), (5, 12), (11, 40))
        )
        alone = self._backbone(
            input_ids=self._tensor(long.ids[:-1])[None], use_cache=False
        ).last_hidden_state[0]
        try:
            self._model.set_attn_implementation(NAME)
            behind, behind_other = (self.hidden([before, long])[-len(alone) :] for before in (first, other))
        except Exception as error:
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
        else:
            cosine = torch.cosine_similarity(behind.float(), alone.float(), dim=-1).min().item()
            if torch.equal(behind, behind_other) and cosine > _MIN_COSINE:
                return True
            reason = f"a probe gave a different result (cosine {cosine:.3f})"
        self._model.set_attn_implementation(self._attention)
        logger.info("scoring in padded batches, because packing does not work for this model: %s", reason)
        return False

    def batches(self, lengths: Sequence[int], budget: int) -> list[list[int]]:
        """Indices of `lengths` (tokens) that share a pack of at most `budget` tokens."""
        return pack_documents(lengths, budget)

    def hidden(self, spans: Sequence[Span]) -> torch.Tensor:
        """Last hidden states [answer tokens of all spans, d] predicting the answer tokens, in span order."""
        # The last token is never an input: nothing after it is scored.
        lengths = [len(span.ids) - 1 for span in spans]
        offsets = (0, *accumulate(lengths))
        cu_seqlens = self._tensor(offsets, torch.int32)
        states = self._backbone(
            input_ids=self._tensor([token for span in spans for token in span.ids[:-1]])[None],
            position_ids=self._tensor([position for length in lengths for position in range(length)])[None],
            use_cache=False,
            document_offsets=offsets,
            # The argument names that models with layers other than attention expect.
            cu_seq_lens_q=cu_seqlens,
            cu_seq_lens_k=cu_seqlens,
            max_length_q=max(lengths),
            max_length_k=max(lengths),
        ).last_hidden_state[0]
        scored = [
            position
            for offset, span in zip(offsets, spans, strict=False)
            for position in range(offset + span.start - 1, offset + len(span.ids) - 1)
        ]
        # Of a model on several GPUs, they are on the last one and the embeddings on the first.
        return states[torch.tensor(scored).to(states.device, non_blocking=True)]

    def _tensor(self, values: Sequence[int], dtype: torch.dtype = torch.long) -> torch.Tensor:
        return torch.tensor(values, dtype=dtype).to(self._backbone.device, non_blocking=True)
