"""Thompson sampling over pairs: the default policy, which needs no learning rate."""

from __future__ import annotations

import math
from collections.abc import Container, Mapping, Sequence
from typing import Any

import numpy as np

from staragents.evolution.belief import Belief, Posterior
from staragents.evolution.context import Context
from staragents.evolution.drawing import FloatArray, above_threshold, available, draw_pairs, with_floor
from staragents.evolution.policy import (
    NO_CONTEXT,
    Draw,
    DrawContext,
    Outcome,
    PairStats,
    RecalledOutcomes,
)
from staragents.evolution.tally import Tally

# Near the end of a run exploration no longer pays off; a small width keeps probabilities smooth.
MIN_WIDTH = 0.02
# In widths. Optimism favours pairs with few observations (optimistic Bayesian sampling, May et al. 2012);
# without it, some runs never discover that their second choice is the best.
OPTIMISM = 2.0
# The width at the start of a run is twice `exploration`. Together these two found the planted pair in short
# runs and lost least in long ones, in worlds of 24 to 2,000 seeds and 9 to 36 pairs.
WIDTH = 2.0
# The posterior is recomputed after every seed up to 64, then after every 1/32 more seeds: fewer hardly move
# it, and a draw without recomputation takes a third of the time.
REFRESH = 32
DEFAULT_SEEDS = 1000  # assumed if the length of a run is unknown


class ThompsonPolicy:
    """Draws a pair with the probability that it is among the `count` best under the posterior of `Belief`.

    The posterior's width is multiplied by w = 2 `exploration` sqrt(f), where f is the share of seeds left: a
    discovery is worth what it can still be used for. Means are raised by twice that width. With discounting,
    rewards may drift, so the width stays constant.

    Inclusion probabilities have a closed form (`above_threshold`), and the draw realises them exactly.
    Outcomes on similar instructions shift the posterior as far as they have proved predictive (`Context`).

    Two merged shards have the same sums as a single run over both, to the last bit. Their posterior follows
    from these sums, while that of the single run may be 1/32 of its seeds older.
    """

    name = "thompson"
    _posterior: Posterior

    def __init__(
        self,
        pairs: Sequence[str],
        floor: float = 0.002,
        memory_weight: float = 1.0,
        exploration: float = 0.2,
        discount: float = 1.0,
        total_seeds: int = 0,
        factors: Mapping[str, tuple[str, str]] | None = None,
    ) -> None:
        """`total_seeds` is 0 if the length of the run is unknown."""
        self._floor = floor
        self._exploration = exploration
        self._total_seeds = total_seeds if discount == 1.0 else 0
        self._horizon = self._total_seeds or DEFAULT_SEEDS
        self._seeds = 0
        self._rewards = Tally(pairs)
        self._belief = Belief(pairs, factors, discount)
        self._context = Context(pairs, factors, memory_weight)
        self._posterior: Posterior = self._belief.posterior()
        self._refresh()

    def context(self, recalled: RecalledOutcomes) -> DrawContext:
        return self._context.read(recalled, self._posterior.mean, self._posterior.seed_share)

    def inclusion(
        self, count: int, seed: int, context: DrawContext, without: Container[str] = ()
    ) -> dict[str, float]:
        shift = self._context.shift(context)
        if shift is None and not without:
            if count not in self._cached:
                self._cached[count] = self._inclusion(count, self._posterior.mean, without)
            return dict(self._cached[count])
        mean = self._posterior.mean if shift is None else self._posterior.mean + shift
        return self._inclusion(count, mean, without)

    def draw(self, count: int, seed: int, context: DrawContext, without: Container[str] = ()) -> list[Draw]:
        return draw_pairs(self.inclusion(count, seed, context, without), seed)

    def observe(self, outcomes: Sequence[Outcome], context: DrawContext = NO_CONTEXT) -> None:
        self._rewards.add_all(outcomes)
        self._belief.observe(outcomes)
        if context.readings:
            self._context.observe(outcomes, [outcome.reward for outcome in outcomes], context)
        self._seeds += 1
        # Not in a draw: reading probabilities must not change later draws.
        if self._seeds - self._refreshed_at >= max(1, self._refreshed_at // REFRESH):
            self._refresh()

    def pair_stats(self, without: Container[str] = ()) -> list[PairStats]:
        return self._rewards.pair_stats(self.inclusion(1, 0, NO_CONTEXT, without))

    def memory_worth(self) -> float:
        """Expected reward per unit of the readings; 0 until it differs measurably from 0."""
        return sum(self._context.slopes())

    def state(self) -> dict[str, Any]:
        return {
            "seeds": self._seeds,
            "refreshed_at": self._refreshed_at,
            "posterior": [self._posterior.mean.tolist(), self._posterior.sd.tolist()],
            "seed_share": self._posterior.seed_share,
            "belief": self._belief.state(),
            "kinds": self._context.state(),
            "rewards": self._rewards.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        self._rewards.restore(state["rewards"])
        self._belief.restore(state["belief"])
        self._context.restore(state.get("kinds", {}))
        self._seeds = state["seeds"]
        self._refresh()
        if list(state["rewards"]) == list(self._rewards.pairs):
            mean, sd = map(np.array, state["posterior"])
            # Earlier versions did not save the share.
            share = state.get("seed_share", self._posterior.seed_share)
            self._posterior = Posterior(mean, sd, share)
            self._refreshed_at = state["refreshed_at"]

    def merge(self, state: dict[str, Any]) -> None:
        self._rewards.merge(state["rewards"])
        self._belief.merge(state["belief"])
        self._context.merge(state.get("kinds", {}))
        self._seeds += state["seeds"]
        self._refresh()

    def _refresh(self) -> None:
        self._posterior = self._belief.posterior()
        self._refreshed_at = self._seeds
        self._cached: dict[int, dict[str, float]] = {}

    def _inclusion(self, count: int, mean: FloatArray, without: Container[str]) -> dict[str, float]:
        names, indices = available(self._rewards.pairs, without)
        if count >= len(names):
            return dict.fromkeys(names, 1.0)
        inclusion = self._preferred(mean[indices], self._posterior.sd[indices], count)
        return dict(zip(names, with_floor(inclusion, self._floor).tolist(), strict=True))

    def _preferred(self, mean: FloatArray, sd: FloatArray, count: int) -> FloatArray:
        spread = sd * self._width()
        return above_threshold(mean + OPTIMISM * spread, spread, count)

    def _width(self) -> float:
        """Standard deviations of a draw's normal, per standard deviation of the posterior."""
        return WIDTH * self._exploration * math.sqrt(self._left() / self._horizon) + MIN_WIDTH

    def _left(self) -> int:
        """Seeds left; the horizon if the length of the run is unknown or rewards may drift."""
        return max(self._total_seeds - self._refreshed_at, 0) if self._total_seeds else self._horizon
