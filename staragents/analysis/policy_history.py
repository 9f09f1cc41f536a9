"""Replays a run's policy on its saved candidates in commit order to recover its state at any seed."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from staragents.base.records import Candidate
from staragents.config import Config
from staragents.evolution.choice import make_policy
from staragents.evolution.drawn_pairs import DrawnPairs, periods
from staragents.evolution.policy import Policy, context_of, outcomes_of
from staragents.reward.cost import CostScale


class PolicyHistory:
    """`policy` equals the run's policy after the seeds added so far; None if every pair is a base pair.

    `drawn_pairs` are those that it draws from.
    """

    def __init__(self, config: Config, total_seeds: int, saved: Sequence[DrawnPairs] = ()) -> None:
        """`saved`: the pairs of the run's state, if agents were added or retired meanwhile."""
        self._config, self._total_seeds = config, total_seeds
        self._later = deque(periods(saved, config))
        self.drawn_pairs = self._later.popleft()
        self.policy = self._new_policy()
        self.seeds = 0
        self._cost = CostScale(config.reward.cost)

    def add_seed(self, candidates: list[Candidate]) -> None:
        """Add the next seed's candidates."""
        # The draws that were saved with the state are still those of the earlier policy.
        while self._later and self._later[0].learnt <= self.seeds:
            self._change(self._later.popleft())
        self.seeds += 1
        if self.policy is None:
            return
        if outcomes := outcomes_of(self._cost.learned(candidates)):
            self.policy.observe(outcomes, context_of(candidates))

    def _change(self, drawn_pairs: DrawnPairs) -> None:
        before, self.drawn_pairs = self.policy, drawn_pairs
        self.policy = self._new_policy()
        if before is not None and self.policy is not None:
            self.policy.restore(before.state())

    def _new_policy(self) -> Policy | None:
        pairs = self.drawn_pairs.pairs
        if not pairs:
            return None
        factors = {pair: agents for pair, agents in self._config.factors.items() if pair in pairs}
        return make_policy(self._config.evolution, pairs, self._total_seeds, factors)
