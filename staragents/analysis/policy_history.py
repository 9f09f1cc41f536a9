"""Replays a run's policy on its saved candidates in commit order to recover its state at any seed."""

from __future__ import annotations

from staragents.base.records import Candidate
from staragents.config import Config
from staragents.evolution.choice import make_policy
from staragents.evolution.policy import Policy, context_of, outcomes_of
from staragents.reward.cost import CostScale


class PolicyHistory:
    """`policy` equals the run's policy after the seeds added so far; None if every pair is a base pair."""

    def __init__(self, config: Config, total_seeds: int) -> None:
        arms = config.drawn_pairs
        self.policy: Policy | None = (
            make_policy(config.evolution, arms, total_seeds, config.factors) if arms else None
        )
        self.seeds = 0
        self._cost = CostScale(config.reward.cost)

    def add_seed(self, candidates: list[Candidate]) -> None:
        """Add the next seed's candidates."""
        self.seeds += 1
        if self.policy is None:
            return
        if outcomes := outcomes_of(self._cost.learned(candidates)):
            self.policy.observe(outcomes, context_of(candidates))
