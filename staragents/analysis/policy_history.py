"""Replays a run's policies on its saved candidates in commit order to recover their state at any seed."""

from __future__ import annotations

from collections.abc import Sequence

from staragents.base.records import Candidate
from staragents.config import Config
from staragents.evolution.choice import make_policy
from staragents.evolution.drawn_pairs import DrawnPairs, periods
from staragents.evolution.policy import Policy, context_of, outcomes_of
from staragents.reward.cost import CostScale


class PolicyHistory:
    """The policies of a run after the seeds added so far: one for each change of the pairs it draws from.

    Policies overlap: a later one has learnt from seeds that the draws of an earlier one do not know yet.
    """

    def __init__(self, config: Config, total_seeds: int, saved: Sequence[DrawnPairs] = ()) -> None:
        """`saved`: the pairs of the run's state, if agents were added or retired meanwhile."""
        self._config, self._total_seeds = config, total_seeds
        self._periods = periods(saved, config)
        self._policies: dict[int, Policy | None] = {}
        """By the number of its period; only those that draws may still need."""
        self.seeds = 0
        self._cost = CostScale(config.reward.cost)
        self._begin()

    @property
    def policy(self) -> Policy | None:
        """The newest policy that has learnt; None if every pair is a base pair."""
        return self._policies[self._newest]

    @property
    def drawn_pairs(self) -> DrawnPairs:
        """The pairs of `policy`."""
        return self._periods[self._newest]

    @property
    def _newest(self) -> int:
        return max(
            number
            for number in self._policies
            if number == min(self._policies) or self._periods[number].learnt < self.seeds
        )

    def drawing(self, seed: int) -> tuple[DrawnPairs, Policy | None]:
        """The pairs that seed number `seed`, from 0, was drawn from, and their policy."""
        number = max(number for number, one in enumerate(self._periods) if one.drawn <= seed)
        return self._periods[number], self._policies[number]

    def add_seed(self, candidates: list[Candidate]) -> None:
        """Add the next seed's candidates."""
        for number, later in enumerate(self._periods[1:]):
            if later.drawn <= self.seeds:
                self._policies.pop(number, None)
        outcomes, context = outcomes_of(self._cost.learned(candidates)), context_of(candidates)
        for number, policy in self._policies.items():
            # Seeds that were lost and drawn again may be of pairs that were added later.
            known = [one for one in outcomes if one.pair in self._periods[number].pairs]
            if policy is not None and known:
                policy.observe(known, context)
        self.seeds += 1
        self._begin()

    def _begin(self) -> None:
        """Make the policies that begin with what the run has learnt now."""
        for number, period in enumerate(self._periods):
            if period.learnt == self.seeds:
                policy = self._new_policy(period.pairs)
                before = self._policies.get(number - 1)
                # The policy of a run that commits its seeds again knows nothing.
                if before is not None and policy is not None and period.learnt:
                    policy.restore(before.state())
                self._policies[number] = policy

    def _new_policy(self, pairs: Sequence[str]) -> Policy | None:
        if not pairs:
            return None
        factors = {pair: agents for pair, agents in self._config.factors.items() if pair in pairs}
        return make_policy(self._config.evolution, pairs, self._total_seeds, factors)
