"""Creates a scoring model from settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from staragents.config import ScorerModelConfig, ScoringConfig
from staragents.scoring.ifd import Score, ScoreRow

FAKE = "fake"


class RowModel(Protocol):
    """A model that scores rows: IfdModel or FakeIfdModel."""

    model_name: str
    tokenizer_id: str
    parameters: int

    def score(self, rows: Sequence[ScoreRow]) -> list[Score]: ...


def open_model(
    role: str, path: str, model: ScorerModelConfig, scoring: ScoringConfig, device: str = "auto"
) -> RowModel:
    """The model of `role` (target or larger) from the folder or hub id `path`, with an NLL cache.

    Raises BadInput if it can't be loaded or can't be scored this way.
    """
    if model.model == FAKE:
        from staragents.scoring.fake_ifd_model import FakeIfdModel

        return FakeIfdModel(role)
    from staragents.scoring.ifd_model import IfdModel
    from staragents.scoring.model_loading import Loading
    from staragents.scoring.span_cache import SpanCache

    return IfdModel(
        path,
        loading=Loading(model.dtype, device, model.device_map, model.adapter, model.quantization),
        threads=max(1, round(model.num_cpus)),
        template=scoring.template,
        convention=scoring.convention,
        reasoning=scoring.reasoning,
        execution=scoring.execution,
        max_length=scoring.max_length,
        batch_tokens=scoring.batch_tokens,
        min_answer_tokens=scoring.min_answer_tokens,
        cache=SpanCache(scoring.cache_mib, scoring.cache_path),
    )
