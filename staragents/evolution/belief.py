"""What a run believes about the mean reward of each pair: sums that shards can add, and a posterior."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from staragents.evolution.drawing import FloatArray
from staragents.evolution.policy import Outcome
from staragents.evolution.score import rounded, score

# Priors, each worth a few observations: pairs' mean scores differ by half of what one pair's scores differ
# by, and what a pair earns beyond its score by a fifth of that. The data takes over from there.
SPREAD_OF_PAIRS = 0.5
SPREAD_BEYOND_SCORE = 0.2
PAIRS_THE_PRIOR_IS_WORTH = 4.0
COUPLES_THE_PRIOR_IS_WORTH = 20.0
# Above it a table of which pairs were drawn together would outgrow all else that is saved.
MOST_PAIRS_COMPARED = 64
ROUNDS = 3
SMALLEST_VARIANCE = 1e-9


class Belief:
    """A normal hierarchical model with all variances learnt (empirical Bayes, method of moments).

        reward = slope * score + rest
        score of pair (j, k) on seed s = mean + instruction_j + response_k + interaction_jk + seed_s + noise
        rest of pair (j, k)            = mean + own_jk + noise

    `slope` is the within-pair regression of reward on score, so both parts have independent noise. The seed's
    effect (some instructions are hard for everyone) is estimated from the pairs that were drawn together.
    Without `factors` a pair has its interaction only. Discounting multiplies all sums with every seed.
    """

    def __init__(
        self, pairs: Sequence[str], factors: Mapping[str, tuple[str, str]] | None, discount: float = 1.0
    ) -> None:
        """`factors` gives the instruction agent and the response agent of each pair."""
        self.pairs = tuple(pairs)
        self._place = {pair: place for place, pair in enumerate(self.pairs)}
        self._discount = discount
        self._design = _design([factors[pair] for pair in pairs]) if factors else None
        size = len(self.pairs)
        self._number, self._reward, self._score = np.zeros(size), np.zeros(size), np.zeros(size)
        # Sums of squares and products over all pairs: reward^2, score^2, reward * score; then the product of
        # the scores of two pairs of one seed, over ordered couples.
        self._products = np.zeros(4)
        # Scores of the others drawn with a pair, and how often any two were drawn together.
        compared = size if size <= MOST_PAIRS_COMPARED else 0
        self._partners, self._together = np.zeros(compared), np.zeros((compared, compared))

    def observe(self, outcomes: Sequence[Outcome], rewards: Sequence[float]) -> None:
        """`rewards` are what the outcomes' pairs are credited with."""
        if self._discount < 1.0:
            for sums in self._sums():
                sums *= self._discount
        places = [self._place[outcome.pair] for outcome in outcomes]
        scores = [score(reward) for reward in rewards]
        rr = uu = ru = 0.0
        for place, exact, u in zip(places, rewards, scores, strict=True):
            r = rounded(exact)
            self._number[place] += 1.0
            self._reward[place] += r
            self._score[place] += u
            rr, uu, ru = rr + r * r, uu + u * u, ru + r * u
        everyone = sum(scores)
        self._products += (rr, uu, ru, everyone * everyone - uu)
        if len(places) > 1 and len(self._partners):
            for place, u in zip(places, scores, strict=True):
                self._partners[place] += everyone - u
                for other in places:
                    if other != place:
                        self._together[place, other] += 1.0

    def posterior(self) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation of each pair's mean reward, shape (pairs,)."""
        n = self._number
        total = float(n.sum())
        seen = np.maximum(n, 1e-12)
        y, z = self._reward / seen, self._score / seen
        rr, uu, ru, _ = self._products.tolist()
        pooled_y = (float(self._reward.sum()) + 0.5) / (total + 1.0)
        pooled_z = (float(self._score.sum()) + 0.5) / (total + 1.0)
        # Variances within pairs, and two observations of a prior: the variance of all rewards, itself with
        # one observation as wide as can be, so that nothing is 0 in a young run.
        wide_y, wide_z = pooled_y * (1.0 - pooled_y), pooled_z * (1.0 - pooled_z)
        prior_rr = (rr - total * pooled_y**2 + wide_y) / (total + 1.0)
        prior_uu = (uu - total * pooled_z**2 + wide_z) / (total + 1.0)
        prior_ru = (ru - total * pooled_y * pooled_z + 0.5 * math.sqrt(wide_y * wide_z)) / (total + 1.0)
        freedom = max(total - float((n > 0).sum()), 0.0) + 2.0
        within_rr = max(rr - float(y.dot(self._reward)) + 2.0 * prior_rr, SMALLEST_VARIANCE) / freedom
        within_uu = max(uu - float(z.dot(self._score)) + 2.0 * prior_uu, SMALLEST_VARIANCE) / freedom
        within_ru = (ru - float(z.dot(self._reward)) + 2.0 * prior_ru) / freedom
        slope = max(within_ru / within_uu, 0.0)
        within_rest = max(within_rr - slope * within_ru, SMALLEST_VARIANCE)

        prior = SPREAD_OF_PAIRS**2 * within_uu
        trust = n / (n + within_uu / prior)
        mean_z = (float(trust.dot(z)) + pooled_z) / (float(trust.sum()) + 1.0)
        between = _between(trust, z - mean_z, seen, within_uu, prior)
        seed_share, partners = self._seed_effect(z, total, within_uu)
        noise = within_uu * (1.0 - seed_share)
        shared = self._shared(trust, z - mean_z, between)
        effect, effect_variance = self._effects(mean_z, noise, between, shared, seed_share, partners)

        mean_y = pooled_y + slope * (mean_z - pooled_z)
        rest = y - mean_y - slope * (z - mean_z)
        prior = (SPREAD_BEYOND_SCORE * slope) ** 2 * between + SMALLEST_VARIANCE
        beyond = _between(n / (n + within_rest / prior), rest, seen, within_rest, prior)
        trust = n / (n + within_rest / beyond)
        mean = mean_y + slope * effect + trust * rest
        variance = slope * slope * effect_variance + beyond * (1.0 - trust)
        return mean, np.sqrt(variance)

    def _seed_effect(self, z: FloatArray, total: float, within: float) -> tuple[float, float]:
        """The share of the scores' variance that pairs of one seed have in common, and draws a seed."""
        couples = float(self._together.sum())
        if not couples:
            return 0.0, 1.0
        common = float(self._products[3]) - 2 * float(z.dot(self._partners)) + float(z @ self._together @ z)
        share = common / (couples + COUPLES_THE_PRIOR_IS_WORTH) / within
        return min(max(share, 0.0), 0.9), 1.0 + couples / total

    def _shared(self, trust: FloatArray, gap: FloatArray, between: float) -> float:
        """Variance of the agents' effects: the covariance of pairs that have one agent in common.

        Their noise is independent, so products of their gaps need no correction for it; but gaps are from a
        mean that all pairs share, so the products of pairs with nothing in common are taken off. A prior of
        equal shares of instruction agents, response agents and interactions is worth a few pairs.
        """
        if self._design is None:
            return 0.0
        known = trust * gap
        squares, weights = float(known.dot(known)), float(trust.dot(trust))
        products = float(((known @ self._design) ** 2).sum()) - 2.0 * squares
        couples = float(((trust @ self._design) ** 2).sum()) - 2.0 * weights
        others = float(trust.sum()) ** 2 - weights - couples
        if others > 0:
            products -= couples * (float(known.sum()) ** 2 - squares - products) / others
        all_couples = float((self._design.sum(axis=0) ** 2).sum()) - 2.0 * len(trust)
        prior = PAIRS_THE_PRIOR_IS_WORTH * all_couples / len(trust)
        shared = (prior * between / 3.0 + products) / (prior + couples)
        return min(max(shared, 0.01 * between), 0.45 * between)

    def _effects(
        self,
        mean: float,
        noise: float,
        between: float,
        shared: float,
        seed_share: float,
        draws: float,
    ) -> tuple[FloatArray, FloatArray]:
        """Posterior mean and variance of each pair's score, less `mean`.

        The seeds' effects and the pairs' are found in turns, which converges to their joint mode; the
        variance leaves out that a pair's partners are uncertain too.
        """
        n = self._number
        ratio = seed_share / (1.0 - seed_share)
        weight = ratio / (1.0 + draws * ratio)
        sums = self._score - n * mean
        shrink = noise / (between - 2.0 * shared)
        precision = n + shrink
        if self._design is not None:
            design = self._design
            main = (design.T * (n * shrink / precision)) @ design
            main.flat[:: len(main) + 1] += noise / shared
            covariance = np.linalg.inv(main)
            unseen = shrink / precision
        effect = np.zeros(len(n))
        adjusted = sums
        for _ in range(ROUNDS if weight else 1):
            if weight:
                left = sums - n * effect
                partners_left = self._partners - self._together @ (mean + effect)
                adjusted = sums - weight * (left + partners_left)
            effect = adjusted / precision
            if self._design is not None:
                effect += unseen * (design @ (covariance @ (design.T @ (unseen * adjusted))))
        variance = noise / ((1.0 - weight) * n + shrink)
        if self._design is not None:
            variance += noise * unseen * unseen * ((design @ covariance) * design).sum(axis=1)
        return effect, variance

    def state(self) -> dict[str, Any]:
        """Sums only; those of one pair by its name."""
        rows = zip(self._number.tolist(), self._reward.tolist(), self._score.tolist(), strict=True)
        state: dict[str, Any] = {
            "pairs": dict(zip(self.pairs, map(list, rows), strict=True)),
            "products": self._products.tolist(),
        }
        if len(self._partners):
            state["partners"] = self._partners.tolist()
            state["together"] = self._together.tolist()
        return state

    def restore(self, state: dict[str, Any]) -> None:
        for sums in self._sums():
            sums[:] = 0.0
        self.merge(state)

    def merge(self, state: dict[str, Any]) -> None:
        """Add another shard's sums; its pairs are among these, in any order."""
        places = np.array([self._place[pair] for pair in state["pairs"]], dtype=np.intp)
        columns = np.array(list(state["pairs"].values())).reshape(-1, 3).T
        for sums, column in zip((self._number, self._reward, self._score), columns, strict=True):
            sums[places] += column
        self._products += state["products"]
        if len(self._partners) and "partners" in state:
            self._partners[places] += state["partners"]
            self._together[np.ix_(places, places)] += state["together"]

    def _sums(self) -> list[FloatArray]:
        return [self._number, self._reward, self._score, self._products, self._partners, self._together]


def _between(trust: FloatArray, gap: FloatArray, seen: FloatArray, within: float, prior: float) -> float:
    """Variance of the pairs' true means: what their observed means vary by beyond their noise.

    Moments weighted by how well each pair is known, together with a prior worth a few pairs.
    """
    weights = trust * trust
    excess = float(weights.dot(gap * gap)) - within * float((weights / seen).sum())
    return (PAIRS_THE_PRIOR_IS_WORTH * prior + max(excess, 0.0)) / (
        PAIRS_THE_PRIOR_IS_WORTH + float(weights.sum())
    )


def _design(agents: Sequence[tuple[str, str]]) -> FloatArray | None:
    """Shape (pairs, agents): 1 where a pair has that instruction agent or that response agent."""
    left = sorted({one for one, _ in agents})
    right = sorted({other for _, other in agents})
    if len(left) + len(right) >= len(agents):
        return None  # as many agents as pairs: nothing is shared that a pair alone would not show
    design = np.zeros((len(agents), len(left) + len(right)))
    for row, (one, other) in enumerate(agents):
        design[row, left.index(one)] = design[row, len(left) + right.index(other)] = 1.0
    return design
