"""How the policy's view of the pairs developed: the run's rows are shown to it again in the same order."""

from __future__ import annotations

import math
from typing import NamedTuple

from staragents.config import Config
from staragents.evolution.choice import make_policy
from staragents.evolution.policy import Outcome, Standing
from staragents.report.rows import Row
from staragents.reward.cost import CostScale

POINTS = 100


class Moment(NamedTuple):
    """The standings after so many seeds."""

    seeds: int
    standings: list[Standing]


class Timeline:
    """Replays the policy of a run and keeps about `POINTS` moments of it."""

    def __init__(self, config: Config, total_seeds: int, finished_seeds: int) -> None:
        arms = [pair for pair in config.pairs if pair not in config.agents.base_pairs]
        self._policy = make_policy(config.evolution, arms, total_seeds, config.factors) if arms else None
        self._cost = CostScale(config.reward.cost)
        self._step = max(1, math.ceil(finished_seeds / POINTS))
        self._last = finished_seeds
        self._seeds = 0
        self.moments: list[Moment] = []
        self._keep()

    def add_seed(self, rows: list[Row]) -> None:
        """The next seed's candidates. Base pairs are always called: the policy learns nothing of them."""
        if self._policy is None:
            return
        rewarded = [row for row in rows if row["reward"] is not None]
        for row in rewarded:
            self._cost.add(*_cost(row))
        self._policy.observe(
            [
                Outcome(
                    row["pair"],
                    self._cost.value(row["reward"], *_cost(row)),
                    bool(row["selected"]),
                    row["propensity"],
                )
                for row in rewarded
                if not row["base"]
            ]
        )
        self._seeds += 1
        if self._seeds % self._step == 0 or self._seeds == self._last:
            self._keep()

    def _keep(self) -> None:
        if self._policy is not None:
            self.moments.append(Moment(self._seeds, list(self._policy.standings())))


def _cost(row: Row) -> tuple[int, float]:
    return row["tokens_in"] + row["tokens_out"], row["seconds"]
