"""Creates the policy that a config selects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from staragents.base.errors import BadInput
from staragents.config import EvolutionConfig, PolicyName
from staragents.evolution.additive import AdditivePolicy
from staragents.evolution.exp3 import Exp3Policy
from staragents.evolution.paper import PaperPolicy
from staragents.evolution.policy import Policy
from staragents.evolution.thompson import ThompsonPolicy
from staragents.evolution.ucb import UcbPolicy
from staragents.evolution.uniform import UniformPolicy


def make_policy(
    config: EvolutionConfig,
    pairs: Sequence[str],
    total_seeds: int,
    factors: Mapping[str, tuple[str, str]] | None = None,
) -> Policy:
    """A new policy over `pairs`, excluding base pairs; `total_seeds` is N in the paper's beta = c / N.

    `factors` names the two agents of each pair, for policies that also learn about agents; without it they
    learn about pairs only. Raises BadInput for a `credit` that does not go with the policy.
    """
    if (problem := config.credit_problem()) is not None:
        raise BadInput(problem)
    credit, floor = config.credit, config.floor
    beta = config.rate / max(total_seeds, 1)
    match config.policy:
        case PolicyName.uniform:
            return UniformPolicy(pairs)
        case PolicyName.paper:
            return PaperPolicy(pairs, beta, credit, floor, config.recalled_draws)
        case PolicyName.additive:
            return AdditivePolicy(pairs, beta, credit, floor, config.memory_weight, factors)
        case PolicyName.exp3:
            return Exp3Policy(pairs, credit, floor, config.discount)
    policy = UcbPolicy if config.policy is PolicyName.ucb else ThompsonPolicy
    return policy(
        pairs, floor, config.memory_weight, config.exploration, config.discount, total_seeds, factors
    )
