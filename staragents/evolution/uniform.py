"""The policy that learns nothing: the baseline of every ablation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from staragents.evolution.drawing import draw_pairs
from staragents.evolution.policy import Drawn, Neighbour, Outcome, Standing
from staragents.evolution.tally import Tally


class UniformPolicy:
    """Every pair is as likely as every other, for ever; rewards are counted all the same."""

    name = "uniform"

    def __init__(self, pairs: Sequence[str]) -> None:
        self._rewards = Tally(pairs)

    def inclusion(self, count: int, seed: int, recalled: Sequence[Neighbour]) -> dict[str, float]:
        pairs = self._rewards.pairs
        return {pair: min(count / len(pairs), 1.0) for pair in pairs}

    def draw(self, count: int, seed: int, recalled: Sequence[Neighbour]) -> list[Drawn]:
        return draw_pairs(self.inclusion(count, seed, recalled), seed)

    def observe(self, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            self._rewards.add(outcome.pair, outcome.reward)

    def standings(self) -> list[Standing]:
        return self._rewards.standings(self.inclusion(1, 0, ()))

    def state(self) -> dict[str, Any]:
        return {"rewards": self._rewards.state()}

    def restore(self, state: dict[str, Any]) -> None:
        self._rewards.restore(state["rewards"])

    def merge(self, state: dict[str, Any]) -> None:
        self._rewards.merge(state["rewards"])
