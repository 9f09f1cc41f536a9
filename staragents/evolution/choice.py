"""The policy that a config names."""

from __future__ import annotations

from collections.abc import Sequence

from staragents.config import EvolutionConfig, PolicyName
from staragents.errors import BadInput
from staragents.evolution.paper import PaperPolicy
from staragents.evolution.policy import Policy
from staragents.evolution.thompson import ThompsonPolicy
from staragents.evolution.uniform import UniformPolicy


def make_policy(config: EvolutionConfig, pairs: Sequence[str], total_seeds: int) -> Policy:
    """A fresh policy over `pairs`, base pairs left out; `total_seeds` is N in the paper's beta = c / N.

    Raises BadInput for a `credit` that is neither all nor winner.
    """
    if config.credit not in ("all", "winner"):
        raise BadInput(f"evolution.credit: expected all or winner, got {config.credit!r}")
    if config.policy is PolicyName.uniform:
        return UniformPolicy(pairs)
    if config.policy is PolicyName.paper:
        beta = config.rate / max(total_seeds, 1)
        return PaperPolicy(pairs, beta, config.credit, config.floor, config.recalled_draws)
    return ThompsonPolicy(pairs, config.credit, config.floor, config.memory_weight)
