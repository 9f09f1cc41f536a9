"""The paper's additive rule made safe: a floor, and memory as a boost instead of a fixed number of draws."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Any

import numpy as np

from staragents.config import Credit
from staragents.evolution.context import Context
from staragents.evolution.drawing import available, draw_pairs, proportional, with_floor
from staragents.evolution.paper import PaperPolicy
from staragents.evolution.policy import NO_CONTEXT, Draw, DrawContext, Outcome, RecalledOutcomes, credited

MAX_BOOST = 4.0


class AdditivePolicy(PaperPolicy):
    """Eq. 8, p~ = p + beta * pi, with a floor.

    Outcomes on similar instructions multiply a pair's p by exp(shift / mean reward), clipped to [1/4, 4];
    `Context` learns the shift. Unlike in the paper, a neighbour's pair is never drawn with certainty.
    """

    name = "additive"

    def __init__(
        self,
        pairs: Sequence[str],
        beta: float,
        credit: Credit = Credit.all,
        floor: float = 0.05,
        memory_weight: float = 1.0,
        factors: Mapping[str, tuple[str, str]] | None = None,
    ) -> None:
        super().__init__(pairs, beta, credit, floor)
        self._context = Context(pairs, factors, memory_weight)

    def context(self, recalled: RecalledOutcomes) -> DrawContext:
        means = [one.mean_reward for one in self._rewards.pair_stats({})]
        return self._context.read(recalled, np.array(means), 0.0)

    def inclusion(
        self, count: int, seed: int, context: DrawContext, without: Container[str] = ()
    ) -> dict[str, float]:
        names, indices = available(self._rewards.pairs, without)
        if count >= len(names):
            return dict.fromkeys(names, 1.0)
        weights = self._p
        shift = self._context.shift(context)
        if shift is not None and (mean := self._context.mean_reward()) > 0:
            weights = weights * np.clip(np.exp(np.clip(shift / mean, -9, 9)), 1 / MAX_BOOST, MAX_BOOST)
        inclusion = with_floor(proportional(weights[indices], count), self._floor)
        return dict(zip(names, inclusion.tolist(), strict=True))

    def draw(self, count: int, seed: int, context: DrawContext, without: Container[str] = ()) -> list[Draw]:
        return draw_pairs(self.inclusion(count, seed, context, without), seed)

    def observe(self, outcomes: Sequence[Outcome], context: DrawContext = NO_CONTEXT) -> None:
        super().observe(outcomes)
        self._context.observe(outcomes, [credited(one, self._credit) for one in outcomes], context)

    def memory_worth(self) -> float:
        """Expected reward per unit of the readings; 0 until it differs measurably from 0."""
        return sum(self._context.slopes())

    def state(self) -> dict[str, Any]:
        return {**super().state(), "kinds": self._context.state()}

    def restore(self, state: dict[str, Any]) -> None:
        super().restore(state)
        self._context.restore(state.get("kinds", {}))

    def merge(self, state: dict[str, Any]) -> None:
        super().merge(state)
        self._context.merge(state.get("kinds", {}))
