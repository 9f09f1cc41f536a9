"""A model that does not score the same row twice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Protocol

from staragents.messages import as_dicts
from staragents.scoring.ifd import Score, ScoreRow, Status
from staragents.scoring.loss_cache import LossCache


class RowModel(Protocol):
    """What scores rows: IfdModel, its fake, or a pool of either."""

    model_name: str
    tokenizer_id: str
    parameters: int

    def score(self, rows: Sequence[ScoreRow]) -> list[Score]: ...


class CachedModel:
    """Same interface as IfdModel. `settings` names all that decides a score beside the row itself: model
    identity, dtype, convention, template, lengths."""

    def __init__(self, model: RowModel, cache: LossCache, settings: str) -> None:
        self._model = model
        self._cache = cache
        self._settings = hashlib.sha256(settings.encode()).digest()
        self.model_name = model.model_name
        self.tokenizer_id = model.tokenizer_id
        self.parameters = model.parameters
        self.reused = 0
        """Rows so far whose score was known."""

    def score(self, rows: Sequence[ScoreRow]) -> list[Score]:
        """One Score a row, in order. Rows of the same content are scored once."""
        keys = [self._key(row) for row in rows]
        scores = self._cache.get(keys)
        new = {key: row for key, row in zip(keys, rows, strict=True) if key not in scores}
        fresh = dict(zip(new, self._model.score(list(new.values())), strict=True)) if new else {}
        # What a broken forward pass left may come out well the next time.
        self._cache.put({key: score for key, score in fresh.items() if score.status is not Status.nonfinite})
        self.reused += len(rows) - len(fresh)
        scores |= fresh
        return [scores[key] for key in keys]

    def _key(self, row: ScoreRow) -> bytes:
        content = json.dumps(as_dicts(row.messages), ensure_ascii=True).encode()
        return hashlib.sha256(self._settings + content).digest()[:16]
