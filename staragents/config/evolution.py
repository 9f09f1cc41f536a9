"""How agent pairs are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from staragents.config.marks import POSITIVE, ZERO_OR_MORE, Range


class PolicyName(StrEnum):
    uniform = "uniform"
    paper = "paper"
    additive = "additive"
    ucb = "ucb"
    thompson = "thompson"
    exp3 = "exp3"


class Credit(StrEnum):
    all = "all"
    winner = "winner"


WINNER_POLICIES = (PolicyName.paper, PolicyName.additive, PolicyName.exp3)
"""These can learn from winners alone. A posterior of mean rewards would take losers for rewards of 0."""


@dataclass
class EvolutionConfig:
    """Which agent pairs run on a seed, and how the policy learns (paper 3.2, eq. 8)."""

    policy: PolicyName = PolicyName.thompson
    """thompson and ucb (a posterior over every agent and pair), paper (eq. 8), additive (eq. 8 with a floor),
    exp3 (no assumption about rewards, slow) or uniform (does not learn)."""
    draws: Annotated[int, ZERO_OR_MORE] = 2
    """Pairs drawn per seed without replacement, in addition to the base pairs."""
    rate: Annotated[float, POSITIVE] = 7.0
    """paper, additive: c in beta = c / number of seeds; 5 to 20 is safe, 100 can lock in a wrong pair."""
    floor: Annotated[float, Range(0, 0.1)] = 0.002
    """Fraction of the draw probability that stays uniform, so that no pair is ever ruled out; 0 in the paper.
    Larger values improve off-policy estimates of other policies but reduce the reward of the run."""
    exploration: Annotated[float, Range(0.1, 0.6)] = 0.2
    """thompson, ucb: strength of exploration. thompson multiplies the posterior's standard deviation by twice
    this at the start of a run, and by less as fewer seeds are left. A smaller value earns more reward in most
    runs but may miss the best pair in some."""
    discount: Annotated[float, Range(0.99, 1)] = 1.0
    """thompson, ucb, exp3: weight decay of past outcomes per seed. Below 1, the policy adapts to a judge or
    models that change, but learns less: 0.999 covers about the last 1,000 seeds."""
    credit: Credit = Credit.all
    """paper, additive, exp3: the pairs whose rewards update the policy: all evaluated pairs, or only the
    winner (as in the paper). The others always learn from all."""
    memory_weight: Annotated[float, Range(0, 2)] = 1.0
    """thompson, ucb, additive: multiplies the learned weight of what memory adds; 0 ignores it."""
    recalled_draws: Annotated[int | None, ZERO_OR_MORE] = None
    """paper: l, the number of draws from the neighbours' pairs. Unset: ceil(draws / 2)."""

    def credit_problem(self) -> str | None:
        """Why `credit` does not go with `policy`, if it does not."""
        if self.credit == Credit.all or self.policy in (PolicyName.uniform, *WINNER_POLICIES):
            return None
        return (
            f"evolution.credit: expected all, as {self.policy} learns from every evaluated pair "
            f"({', '.join(WINNER_POLICIES)} can learn from winners), got {self.credit}"
        )
