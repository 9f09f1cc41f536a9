"""Scores derived from a hash, for load and fault tests without a model."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

from staragents.scoring.ifd import Score, ScoreRow, Status


class FakeIfdModel:
    """Same interface as IfdModel; equal rows get equal, plausible scores.

    IFDs lie in 0.3..1.1. Both roles share the difficulty of a row; the larger model's IFD is lower by 0.05
    on average. Reasoning is ignored.
    """

    tokenizer_id = "fake"
    model_name = "fake"
    parameters = 0

    def __init__(self, role: str) -> None:
        self._role = role

    def score(self, rows: Sequence[ScoreRow]) -> list[Score]:
        return [self._score(row) for row in rows]

    def _score(self, row: ScoreRow) -> Score:
        answer = row.messages[-1].content
        size = len(answer.encode())
        tokens = math.ceil(size / 4)
        if not answer.strip():
            return Score(None, None, 0, 0, size, Status.empty)
        content = "\x1f".join(message.content for message in row.messages)
        hardness, own = _unit(content), _unit(f"{self._role}\x1f{content}")
        ifd = 0.4 + 0.6 * hardness + 0.1 * own - (0.1 if self._role == "larger" else 0.05)
        nll_direct = 1.5 + 2 * _unit(answer)
        return Score(nll_direct + math.log(ifd), nll_direct, tokens, tokens, size, Status.ok)


def _unit(text: str) -> float:
    """A number in [0, 1) from the hash of the text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) / 2**64
