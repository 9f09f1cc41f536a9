"""Where a scorer loads its model."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from actors import scorer
from actors.scorer import Scorer
from staragents.config import ScorerModelConfig, ScoringConfig


@pytest.mark.parametrize(("num_gpus", "device"), [(0.0, "cpu"), (0.25, "auto"), (2.0, "auto")])
def test_a_scorer_uses_a_gpu_only_if_it_asked_for_one(
    monkeypatch: pytest.MonkeyPatch, num_gpus: float, device: str
) -> None:
    """Ray hides none from it: all of them took memory of the first GPU, which nobody had counted."""
    devices: list[str] = []

    def open_model(*arguments: Any) -> Any:
        devices.append(arguments[4])
        return SimpleNamespace(model_name="m", tokenizer_id="t", parameters=1)

    monkeypatch.setattr(scorer, "open_model", open_model)
    actor = Scorer("target", ScorerModelConfig("m", num_gpus=num_gpus), ScoringConfig(), "m")
    asyncio.run(actor.start())
    assert devices == [device]
