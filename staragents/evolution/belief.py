"""Posterior of each pair's mean reward, computed from sums that shards can add."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from staragents.evolution.agent_effects import AgentEffects, design_of
from staragents.evolution.drawing import FloatArray
from staragents.evolution.log_odds import rounded, score
from staragents.evolution.policy import Outcome

# Prior standard deviations, each worth a few observations. Between pairs, mean scores vary half as much as
# the scores of one pair do; rewards beyond the score vary a fifth of that. The data soon outweighs both.
SPREAD_OF_PAIRS = 0.5
SPREAD_BEYOND_SCORE = 0.2
PRIOR_PAIRS = 4.0
PRIOR_COUPLES = 20.0
# With more pairs, the table of pairs drawn together would dominate the saved state.
MAX_PAIRS_COMPARED = 64
ROUNDS = 3
MIN_VARIANCE = 1e-9


class Posterior(NamedTuple):
    """What is known of each pair's mean reward: its mean and standard deviation, both of shape (pairs,)."""

    mean: FloatArray
    sd: FloatArray
    seed_share: float
    """Share of a score's variance within pairs that the pairs of one seed have in common."""


class Belief:
    """A normal hierarchical model with all variances learnt (empirical Bayes, method of moments).

        reward = slope * score + rest
        score of pair (j, k) on seed s = mean + instruction_j + response_k + interaction_jk + seed_s + noise
        rest of pair (j, k)            = mean + own_jk + noise

    `slope` is the within-pair regression of reward on score, so both parts have independent noise. The seed's
    effect (some instructions are hard for every pair) is estimated from pairs drawn together. Without
    `factors` only the interaction remains. `discount` multiplies all sums after every seed.
    """

    def __init__(
        self, pairs: Sequence[str], factors: Mapping[str, tuple[str, str]] | None, discount: float = 1.0
    ) -> None:
        """`factors` gives the instruction agent and the response agent of each pair."""
        self.pairs = tuple(pairs)
        self._index = {pair: index for index, pair in enumerate(self.pairs)}
        self._discount = discount
        made = design_of([factors[pair] for pair in pairs]) if factors else None
        self._design = made[1] if made else None
        size = len(self.pairs)
        self._number, self._reward, self._score = np.zeros(size), np.zeros(size), np.zeros(size)
        # Sums over all pairs of reward^2, score^2 and reward * score; then of the score products of every
        # ordered couple of pairs drawn for one seed.
        self._products = np.zeros(4)
        # Score sums of the pairs drawn together with each pair, and how often any two were drawn together.
        compared = size if size <= MAX_PAIRS_COMPARED else 0
        self._partners, self._together = np.zeros(compared), np.zeros((compared, compared))

    def observe(self, outcomes: Sequence[Outcome]) -> None:
        if self._discount < 1.0:
            for sums in self._sums():
                sums *= self._discount
        indices = [self._index[outcome.pair] for outcome in outcomes]
        scores = [score(outcome.reward) for outcome in outcomes]
        rr = uu = ru = 0.0
        for index, outcome, u in zip(indices, outcomes, scores, strict=True):
            r = rounded(outcome.reward)
            self._number[index] += 1.0
            self._reward[index] += r
            self._score[index] += u
            rr, uu, ru = rr + r * r, uu + u * u, ru + r * u
        total = sum(scores)
        # One by one: making an array of them takes longer.
        for place, product in enumerate((rr, uu, ru, total * total - uu)):
            self._products[place] += product
        if len(indices) > 1 and len(self._partners):
            for index, u in zip(indices, scores, strict=True):
                self._partners[index] += total - u
                for other in indices:
                    if other != index:
                        self._together[index, other] += 1.0

    def posterior(self) -> Posterior:
        number = self._number
        total = float(number.sum())
        seen = np.maximum(number, 1e-12)
        rewards, scores = self._reward / seen, self._score / seen
        pooled_reward = (float(self._reward.sum()) + 0.5) / (total + 1.0)
        pooled_score = (float(self._score.sum()) + 0.5) / (total + 1.0)
        slope, score_noise, rest_noise = self._within_pairs(rewards, scores, pooled_reward, pooled_score)

        prior = SPREAD_OF_PAIRS**2 * score_noise
        reliability = number / (number + score_noise / prior)
        mean_score = (float(reliability.dot(scores)) + pooled_score) / (float(reliability.sum()) + 1.0)
        between = _between(reliability, scores - mean_score, seen, score_noise, prior)
        seed_share, draws = self._seed_effect(scores, score_noise)
        noise = score_noise * (1.0 - seed_share)
        ratio = seed_share / (1.0 - seed_share)
        weight = ratio / (1.0 + draws * ratio)
        effect, effect_variance = self._score_effects(scores, mean_score, reliability, between, noise, weight)

        mean_reward = pooled_reward + slope * (mean_score - pooled_score)
        rest = rewards - mean_reward - slope * (scores - mean_score)
        prior = (SPREAD_BEYOND_SCORE * slope) ** 2 * between + MIN_VARIANCE
        own_variance = _between(number / (number + rest_noise / prior), rest, seen, rest_noise, prior)
        reliability = number / (number + rest_noise / own_variance)
        mean = mean_reward + slope * effect + reliability * rest
        variance = slope * slope * effect_variance + own_variance * (1.0 - reliability)
        return Posterior(mean, np.sqrt(variance), seed_share)

    def _within_pairs(
        self, rewards: FloatArray, scores: FloatArray, pooled_reward: float, pooled_score: float
    ) -> tuple[float, float, float]:
        """`slope`, and the variances of one pair's scores (seed's effect included) and rests.

        `rewards` and `scores` are the pairs' observed means. Each variance has a prior worth two
        observations: the variance of all rewards, which itself includes one observation of maximal variance.
        So no variance is 0 early in a run.
        """
        total = float(self._number.sum())
        reward_squares, score_squares, products, _ = self._products.tolist()
        widest_reward = pooled_reward * (1.0 - pooled_reward)
        widest_score = pooled_score * (1.0 - pooled_score)
        prior_reward = (reward_squares - total * pooled_reward**2 + widest_reward) / (total + 1.0)
        prior_score = (score_squares - total * pooled_score**2 + widest_score) / (total + 1.0)
        widest_both = 0.5 * math.sqrt(widest_reward * widest_score)
        prior_both = (products - total * pooled_reward * pooled_score + widest_both) / (total + 1.0)
        freedom = max(total - float((self._number > 0).sum()), 0.0) + 2.0
        reward_rest = reward_squares - float(rewards.dot(self._reward)) + 2.0 * prior_reward
        score_rest = score_squares - float(scores.dot(self._score)) + 2.0 * prior_score
        reward_variance = max(reward_rest, MIN_VARIANCE) / freedom
        score_variance = max(score_rest, MIN_VARIANCE) / freedom
        covariance = (products - float(scores.dot(self._reward)) + 2.0 * prior_both) / freedom
        slope = max(covariance / score_variance, 0.0)
        return slope, score_variance, max(reward_variance - slope * covariance, MIN_VARIANCE)

    def _seed_effect(self, scores: FloatArray, score_noise: float) -> tuple[float, float]:
        """Share of the score variance that pairs of one seed have in common, and mean draws per seed."""
        couples = float(self._together.sum())
        if not couples:
            return 0.0, 1.0
        means = float(scores @ self._together @ scores)
        common = float(self._products[3]) - 2 * float(scores.dot(self._partners)) + means
        share = common / (couples + PRIOR_COUPLES) / score_noise
        return min(max(share, 0.0), 0.9), 1.0 + couples / float(self._number.sum())

    def _shared(self, reliability: FloatArray, gap: FloatArray, between: float) -> float:
        """Variance of the agents' effects: the covariance of pairs that have one agent in common.

        Their noise is independent, so products of gaps need no noise correction. Gaps are relative to a mean
        shared by all pairs, so the products of pairs with no common agent are subtracted. A prior worth a
        few pairs assumes equal variance of instruction agents, response agents and interactions.
        """
        if self._design is None:
            return 0.0
        known = reliability * gap
        squares, weights = float(known.dot(known)), float(reliability.dot(reliability))
        products = float(((known @ self._design) ** 2).sum()) - 2.0 * squares
        couples = float(((reliability @ self._design) ** 2).sum()) - 2.0 * weights
        others = float(reliability.sum()) ** 2 - weights - couples
        if others > 0:
            products -= couples * (float(known.sum()) ** 2 - squares - products) / others
        all_couples = float((self._design.sum(axis=0) ** 2).sum()) - 2.0 * len(reliability)
        prior = PRIOR_PAIRS * all_couples / len(reliability)
        shared = (prior * between / 3.0 + products) / (prior + couples)
        return min(max(shared, 0.01 * between), 0.45 * between)

    def _score_effects(
        self,
        scores: FloatArray,
        mean: float,
        reliability: FloatArray,
        between: float,
        noise: float,
        weight: float,
    ) -> tuple[FloatArray, FloatArray]:
        """Posterior mean and variance of each pair's score, relative to `mean`: the sum of the effects of its
        agents and of their interaction, whose variances sum to `between`.

        `noise` is the variance of a score without its seed's effect. A seed's effect is `weight` times the
        sum of its scores' gaps: it and pair effects are estimated alternately, which converges to their joint
        mode. The variance ignores the uncertainty of the pairs drawn together.
        """
        number = self._number
        agent_variance = self._shared(reliability, scores - mean, between)
        shrink = noise / (between - 2.0 * agent_variance)
        precision = number + shrink
        agents = None
        if self._design is not None:
            agents = AgentEffects(self._design, number, shrink, noise, agent_variance)
        sums = self._score - number * mean
        effect = np.zeros(len(number))
        adjusted = sums
        for _ in range(ROUNDS if weight else 1):
            if weight:
                left = sums - number * effect
                partners_left = self._partners - self._together @ (mean + effect)
                adjusted = sums - weight * (left + partners_left)
            effect = adjusted / precision
            if agents is not None:
                effect += agents.mean(adjusted)
        variance = noise / ((1.0 - weight) * number + shrink)
        return effect, variance if agents is None else variance + agents.variance()

    def state(self) -> dict[str, Any]:
        """All sums; per-pair sums are keyed by pair name."""
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
        """Add another shard's sums. Its pairs must be a subset of these, in any order."""
        indices = np.array([self._index[pair] for pair in state["pairs"]], dtype=np.intp)
        columns = np.array(list(state["pairs"].values())).reshape(-1, 3).T
        for sums, column in zip((self._number, self._reward, self._score), columns, strict=True):
            sums[indices] += column
        self._products += state["products"]
        if len(self._partners) and "partners" in state:
            self._partners[indices] += state["partners"]
            self._together[np.ix_(indices, indices)] += state["together"]

    def _sums(self) -> list[FloatArray]:
        return [self._number, self._reward, self._score, self._products, self._partners, self._together]


def _between(
    reliability: FloatArray, gap: FloatArray, seen: FloatArray, within: float, prior: float
) -> float:
    """Variance of the pairs' true means: the variance of their observed means minus noise.

    Method of moments, weighted by each pair's reliability, with a prior worth a few pairs.
    """
    weights = reliability * reliability
    excess = float(weights.dot(gap * gap)) - within * float((weights / seen).sum())
    return (PRIOR_PAIRS * prior + max(excess, 0.0)) / (PRIOR_PAIRS + float(weights.sum()))
