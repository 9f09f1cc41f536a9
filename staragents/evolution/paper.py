"""The paper's policy: eq. 8 and the recall rule of section 3.3."""

from __future__ import annotations

import math
from collections.abc import Container, Sequence
from typing import Any

import numpy as np

from staragents.config import Credit
from staragents.evolution.drawing import FloatArray, available, draw_pairs, proportional, with_floor
from staragents.evolution.policy import (
    NO_CONTEXT,
    SHOWN,
    Draw,
    DrawContext,
    Neighbour,
    Outcome,
    PairStats,
    RecalledOutcomes,
    credited,
)
from staragents.evolution.tally import Tally


class PaperPolicy:
    """p~ = p + beta * pi, renormalised after every seed (eq. 8), with beta = rate / total_seeds.

    Inclusion probabilities are proportional to p, capped at 1. With recalled neighbours, l draws come from
    the pairs that won there and the others from the remaining pairs, which we take to be those that won
    nowhere near. If one side has too few pairs, the other supplies more.
    """

    name = "paper"

    def __init__(
        self,
        pairs: Sequence[str],
        beta: float,
        credit: Credit = Credit.winner,
        floor: float = 0.0,
        recalled_draws: int | None = None,
    ) -> None:
        self._beta = beta
        self._credit = credit
        self._floor = floor
        self._recalled_draws = recalled_draws
        self._rewards = Tally(pairs)
        self._index = {pair: index for index, pair in enumerate(pairs)}
        self._p: FloatArray = np.full(len(pairs), 1.0 / max(len(pairs), 1))
        # Log of the product of all normalisers. p * exp(log_mass) never decreases, which makes the state of
        # two shards additive.
        self._log_mass = 0.0

    def context(self, recalled: RecalledOutcomes) -> DrawContext:
        """Winners alone: the nearest, and the nearest of every further pair."""
        nearest = recalled.winners().nearest(len(recalled))
        shown, further = nearest[:SHOWN], dict[str, Neighbour]()
        known = {one.pair for one in shown}
        for one in nearest[SHOWN:]:
            if one.pair not in known:
                further.setdefault(one.pair, one)
        return DrawContext(len(nearest), (*shown, *further.values()))

    def inclusion(
        self, count: int, seed: int, context: DrawContext, without: Container[str] = ()
    ) -> dict[str, float]:
        names, indices = available(self._rewards.pairs, without)
        if count >= len(names):
            return dict.fromkeys(names, 1.0)
        p = self._p[indices]
        neighbours = {neighbour.pair for neighbour in context.neighbours}
        pool = np.array([name in neighbours for name in names])
        if pool.any():
            from_pool = math.ceil(count / 2) if self._recalled_draws is None else self._recalled_draws
            from_pool = max(min(from_pool, count, int(pool.sum())), count - int((~pool).sum()))
            inclusion = np.empty(len(names))
            inclusion[pool] = proportional(p[pool], from_pool)
            inclusion[~pool] = proportional(p[~pool], count - from_pool)
        else:
            inclusion = proportional(p, count)
        return dict(zip(names, with_floor(inclusion, self._floor).tolist(), strict=True))

    def draw(self, count: int, seed: int, context: DrawContext, without: Container[str] = ()) -> list[Draw]:
        group = {neighbour.pair for neighbour in context.neighbours}
        return draw_pairs(self.inclusion(count, seed, context, without), seed, group)

    def observe(self, outcomes: Sequence[Outcome], context: DrawContext = NO_CONTEXT) -> None:
        self._rewards.add_all(outcomes)
        raised = self._p.copy()
        for outcome in outcomes:
            raised[self._index[outcome.pair]] += self._beta * credited(outcome, self._credit)
        total = float(raised.sum())
        self._p = raised / total
        self._log_mass += math.log(total)

    def pair_stats(self, without: Container[str] = ()) -> list[PairStats]:
        return self._rewards.pair_stats(self.inclusion(1, 0, NO_CONTEXT, without))

    def state(self) -> dict[str, Any]:
        return {
            "p": dict(zip(self._rewards.pairs, self._p.tolist(), strict=True)),
            "log_mass": self._log_mass,
            "rewards": self._rewards.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        self._rewards.restore(state["rewards"])
        # A pair added to the run starts at the mean of the others.
        start = 1.0 / max(len(state["p"]), 1)
        p = np.array([state["p"].get(pair, start) for pair in self._rewards.pairs])
        self._p = p if len(state["p"]) == len(p) else p / p.sum()
        self._log_mass = state["log_mass"]

    def merge(self, state: dict[str, Any]) -> None:
        """Add both shards' increments over the common uniform start.

        In units of that start, a pair's mass is p * exp(log_mass), so the merged mass is mass + other mass
        - start. A single run would weight the later shard's increments more, because each is relative to a
        renormalised p; the merge is symmetric and therefore differs from a single run.
        """
        self._rewards.merge(state["rewards"])
        other = np.array([state["p"][pair] for pair in self._rewards.pairs])
        scale = max(self._log_mass, state["log_mass"])
        mass = self._p * math.exp(self._log_mass - scale) + other * math.exp(state["log_mass"] - scale)
        mass = np.maximum(mass - math.exp(-scale) / len(mass), 0.0)
        total = float(mass.sum())
        self._p = mass / total
        self._log_mass = scale + math.log(total)
