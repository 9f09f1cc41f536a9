"""Uniform draws without learning: the baseline of every ablation."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any

from staragents.evolution.drawing import available, draw_pairs
from staragents.evolution.policy import NO_CONTEXT, Draw, DrawContext, Outcome, PairStats, RecalledOutcomes
from staragents.evolution.tally import Tally


class UniformPolicy:
    """Every pair always has the same probability; rewards are counted for statistics only."""

    name = "uniform"

    def __init__(self, pairs: Sequence[str]) -> None:
        self._rewards = Tally(pairs)

    def context(self, recalled: RecalledOutcomes) -> DrawContext:
        return DrawContext.of(recalled)

    def inclusion(
        self, count: int, seed: int, context: DrawContext, without: Container[str] = ()
    ) -> dict[str, float]:
        names, _ = available(self._rewards.pairs, without)
        return {pair: min(count / len(names), 1.0) for pair in names}

    def draw(self, count: int, seed: int, context: DrawContext, without: Container[str] = ()) -> list[Draw]:
        return draw_pairs(self.inclusion(count, seed, context, without), seed)

    def observe(self, outcomes: Sequence[Outcome], context: DrawContext = NO_CONTEXT) -> None:
        self._rewards.add_all(outcomes)

    def pair_stats(self, without: Container[str] = ()) -> list[PairStats]:
        return self._rewards.pair_stats(self.inclusion(1, 0, NO_CONTEXT, without))

    def state(self) -> dict[str, Any]:
        return {"rewards": self._rewards.state()}

    def restore(self, state: dict[str, Any]) -> None:
        self._rewards.restore(state["rewards"])

    def merge(self, state: dict[str, Any]) -> None:
        self._rewards.merge(state["rewards"])
