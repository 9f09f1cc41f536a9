"""Packing for a model on several devices."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch

from staragents.scoring.conventions import Span
from staragents.scoring.packed_body import PackedBackbone


class States:
    """Hidden states on another device than the embeddings, with the index by which they are read."""

    device = torch.device("meta")
    index: torch.Tensor

    def __getitem__(self, index: Any) -> States:
        if isinstance(index, torch.Tensor):
            self.index = index
        return self


def test_states_are_indexed_where_they_are() -> None:
    """CUDA refuses an index on another GPU, so models with device_map=auto were never packed."""
    states = States()

    class Backbone:
        device = torch.device("cpu")

        def __call__(self, **_: Any) -> Any:
            return SimpleNamespace(last_hidden_state=states)

    model = SimpleNamespace(
        base_model=Backbone(), config=SimpleNamespace(_attn_implementation="sdpa"), dtype=torch.float32
    )
    PackedBackbone(model).hidden([Span((1, 2, 3), 1), Span((4, 5, 6, 7), 2)])
    assert states.index.device.type == "meta"
    assert states.index.shape == (4,)
