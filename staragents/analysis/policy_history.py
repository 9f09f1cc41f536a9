"""Replays a run's policy on its saved rows in commit order to recover its state at any seed."""

from __future__ import annotations

from staragents.analysis.rows import Row
from staragents.config import Config
from staragents.evolution.choice import make_policy
from staragents.evolution.policy import Neighbour, Outcome, Policy
from staragents.reward.cost import CostScale


class PolicyHistory:
    """`policy` equals the run's policy after the seeds added so far; None if every pair is a base pair."""

    def __init__(self, config: Config, total_seeds: int) -> None:
        arms = [pair for pair in config.pairs if pair not in config.agents.base_pairs]
        self.policy: Policy | None = (
            make_policy(config.evolution, arms, total_seeds, config.factors) if arms else None
        )
        self.seeds = 0
        self._cost = CostScale(config.reward.cost)

    def add_seed(self, rows: list[Row]) -> None:
        """Add the next seed's candidates. The policy ignores base pairs, which are always called."""
        self.seeds += 1
        if self.policy is None:
            return
        rewarded = [row for row in rows if row["reward"] is not None]
        for row in rewarded:
            self._cost.add(*_cost(row))
        outcomes = [
            Outcome(
                row["pair"],
                self._cost.value(row["reward"], *_cost(row)),
                bool(row["selected"]),
                row["propensity"],
            )
            for row in rewarded
            if not row["base"]
        ]
        if outcomes:
            self.policy.observe(outcomes, recalled(rows))


def recalled(rows: list[Row]) -> list[Neighbour]:
    """The neighbours known to the draw of these candidates, most similar first."""
    return [Neighbour(**neighbour) for neighbour in rows[0].get("recalled") or []]


def _cost(row: Row) -> tuple[int, float]:
    return row["tokens_in"] + row["tokens_out"], row["seconds"]
