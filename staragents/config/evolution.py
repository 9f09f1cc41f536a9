"""Which pairs are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class PolicyName(StrEnum):
    uniform = "uniform"
    paper = "paper"
    additive = "additive"
    ucb = "ucb"
    thompson = "thompson"
    exp3 = "exp3"


@dataclass
class EvolutionConfig:
    """Which pairs a seed gets, and how that is learnt (paper 3.2, eq. 8)."""

    policy: PolicyName = PolicyName.thompson
    """thompson and ucb (a belief about every agent and pair), paper (eq. 8), additive (eq. 8 with a floor),
    exp3 (no assumption about rewards, slow) or uniform (learns nothing)."""
    draws: int = 2
    """Pairs drawn for each seed without replacement, besides the base pairs."""
    rate: float = 7.0
    """paper, additive: c in beta = c / number of seeds; 5 to 20 is safe, 100 locks on to a wrong pair."""
    floor: float = 0.002
    """Share of the draw that stays uniform, so that no pair is lost for ever; the paper has 0. Larger makes
    off-policy estimates of other policies better, and the run worse."""
    exploration: float = 0.2
    """thompson, ucb: how widely a draw looks around what is known so far. Less earns more in most runs and
    may miss the best pair in some; 0.4 suits long runs."""
    discount: float = 1.0
    """thompson, ucb, exp3: what a seed's outcomes still count one seed later; below 1 the policy follows a
    judge or models that change, and learns less: 0.999 remembers the last 1,000 seeds or so."""
    credit: str = "all"
    """Whose reward counts: all evaluated pairs, or the winner's only (the paper's reading)."""
    memory_weight: float = 1.0
    """thompson, ucb, additive: multiplies what recalled neighbours were found to be worth; 0 ignores them."""
    recalled_draws: int | None = None
    """paper: l, the draws taken from the neighbours' pairs; unset is ceil(draws / 2)."""
