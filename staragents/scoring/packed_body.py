"""A model's body on many spans in one row without padding, attention kept inside each span."""

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

# Of a probe's hidden states: float32 differs in the sixth digit, bfloat16 in the second.
_LEAST_COSINE = 0.999


class PackedBody:
    """Runs spans one behind the other. Switches the model to our attention; `PaddedBody` needs its own."""

    name = "packed"

    def __init__(self, model: Any) -> None:
        self._model = model
        self._body = model.base_model
        self._attention = model.config._attn_implementation
        self.kernel = register(self._body.device.type, model.dtype)

    def works(self) -> bool:
        """Whether this model keeps documents apart when they are packed; switches it to our attention if so.

        Tried on a probe, as an architecture that ignores the edges would leak between documents without a
        word (axolotl#3796): a document must come out as it does alone, and to the last bit the same whatever
        stands before it.
        """
        words = self._model.get_input_embeddings().weight.shape[0]
        first, other, long = (
            Span(tuple((seed + 7 * i) % words for i in range(length)), 1)
            for seed, length in ((3, 12), (5, 12), (11, 40))
        )
        alone = self._body(input_ids=self._tensor(long.ids[:-1])[None], use_cache=False).last_hidden_state[0]
        try:
            self._model.set_attn_implementation(NAME)
            behind, behind_other = (self.hidden([before, long])[-len(alone) :] for before in (first, other))
        except Exception as error:
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
        else:
            cosine = torch.cosine_similarity(behind.float(), alone.float(), dim=-1).min().item()
            if torch.equal(behind, behind_other) and cosine > _LEAST_COSINE:
                return True
            reason = f"a probe came out differently (cosine {cosine:.3f})"
        self._model.set_attn_implementation(self._attention)
        logger.info("scoring in padded batches, as packing does not work for this model: %s", reason)
        return False

    def batches(self, lengths: Sequence[int], budget: int) -> list[list[int]]:
        """Indices of `lengths` (tokens) that share a pack of at most `budget` tokens."""
        return pack_documents(lengths, budget)

    def hidden(self, spans: Sequence[Span]) -> torch.Tensor:
        """Last hidden states [answer tokens of all spans, d] that predict the answer tokens, span by span."""
        # The last token is never an input: nothing after it is scored.
        lengths = [len(span.ids) - 1 for span in spans]
        edges = (0, *accumulate(lengths))
        cumulative = self._tensor(edges, torch.int32)
        states = self._body(
            input_ids=self._tensor([token for span in spans for token in span.ids[:-1]])[None],
            position_ids=self._tensor([place for length in lengths for place in range(length)])[None],
            use_cache=False,
            document_edges=edges,
            # The names by which models with other layers than attention know the edges.
            cu_seq_lens_q=cumulative,
            cu_seq_lens_k=cumulative,
            max_length_q=max(lengths),
            max_length_k=max(lengths),
        ).last_hidden_state[0]
        scored = [
            place
            for edge, span in zip(edges, spans, strict=False)
            for place in range(edge + span.start - 1, edge + len(span.ids) - 1)
        ]
        return states[self._tensor(scored)]

    def _tensor(self, values: Sequence[int], dtype: torch.dtype = torch.long) -> torch.Tensor:
        return torch.tensor(values, dtype=dtype).to(self._body.device, non_blocking=True)
