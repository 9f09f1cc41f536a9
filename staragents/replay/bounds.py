"""What a replay is compared with: rewards that are known only afterwards, from the whole table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from staragents.evolution.drawing import FloatArray
from staragents.replay.recorded_table import RecordedTable

ROUNDS = 50


@dataclass(frozen=True, slots=True)
class Bounds:
    """Mean rewards per draw. `fixed` is that of the `draws` agents best on the whole table, `each` that of
    the best ones for each instruction; no policy could know either. `per_cost` are rewards per unit of
    cost."""

    uniform: float
    fixed: float
    fixed_agents: tuple[str, ...]
    each: float
    uniform_per_cost: float | None = None
    fixed_per_cost: float | None = None
    fixed_agents_per_cost: tuple[str, ...] = ()

    @classmethod
    def of(cls, table: RecordedTable, draws: int, with_cost: bool = False) -> Bounds:
        """For `draws` distinct agents per instruction; `with_cost` if the table has costs and they count."""
        means = table.rewards.mean(axis=0)
        best = np.argsort(-means, kind="stable")[:draws]
        bounds = cls(
            uniform=float(table.rewards.mean()),
            fixed=float(table.rewards[:, best].mean()),
            fixed_agents=tuple(table.agents[index] for index in best),
            each=float(np.sort(table.rewards, axis=1)[:, -draws:].mean()),
        )
        if not with_cost or table.costs is None:
            return bounds
        costs = table.costs.mean(axis=0)
        cheap = _best_ratio(means, costs, draws)
        return cls(
            bounds.uniform,
            bounds.fixed,
            bounds.fixed_agents,
            bounds.each,
            uniform_per_cost=float(means.sum() / costs.sum()),
            fixed_per_cost=float(means[cheap].sum() / costs[cheap].sum()),
            fixed_agents_per_cost=tuple(table.agents[index] for index in cheap),
        )


def _best_ratio(rewards: FloatArray, costs: FloatArray, draws: int) -> list[int]:
    """The `draws` agents with the largest sum of rewards over sum of costs (Dinkelbach 1967)."""
    ratio, chosen = 0.0, list(range(draws))
    for _ in range(ROUNDS):
        chosen = np.argsort(-(rewards - ratio * costs), kind="stable")[:draws].tolist()
        better = float(rewards[chosen].sum() / max(costs[chosen].sum(), 1e-12))
        if better <= ratio:
            break
        ratio = better
    return chosen
