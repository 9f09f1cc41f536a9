"""Replays policies on tables of recorded agents in many random orders and compares their rewards."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from staragents.config import Config, Cost, PolicyName
from staragents.replay.bounds import Bounds
from staragents.replay.order import OrderResult, Plan
from staragents.replay.recorded_table import RecordedTable
from staragents.replay.workers import Job, replayed_orders

FORGETFUL = (PolicyName.uniform, PolicyName.exp3)
"""Policies that do not use memory."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A mean difference per draw, paired by order, with the half width of its 95 % interval."""

    mean: float
    half_width: float | None

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> Difference:
        return cls(float(values.mean()), _half_width(values))


@dataclass(frozen=True, slots=True)
class Replayed:
    """A policy on a table. `half_width` is that of a 95 % interval (Student's t) over the random orders.

    `gap_closed` is the share of the gap between uniform draws and the best fixed agents that the policy
    closes.
    """

    table: str
    policy: str
    agents: int
    instructions: int
    draws: int
    passes: int
    seeds: int
    """Random orders."""
    memory: str
    """on, shuffled or off."""
    mean: float
    half_width: float | None
    bounds: Bounds
    beyond_uniform: Difference
    beyond_fixed: Difference
    beyond_no_memory: Difference | None
    """To the same policy in the same orders with memory off; None if this one's is off."""
    per_cost: float | None
    per_cost_half_width: float | None
    gap_closed: float | None
    gap_closed_each: float | None
    hit_rate: float
    memory_slope: float | None
    curve: tuple[float, ...]
    """Running mean reward at evenly spaced points of the run, averaged over the orders."""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Table:
    """A table to replay; `vectors` are unit embeddings of its instructions, None for no memory. `memory` says
    what they are: on or shuffled."""

    recorded: RecordedTable
    vectors: NDArray[np.float32] | None = None
    memory: str = "on"


def replay_tables(
    tables: Sequence[Table], configs: Sequence[Config], plan: Plan, processes: int = 1
) -> list[Replayed]:
    """Every config's policy on every table, table by table; one that uses memory also runs without it.

    The result does not depend on `processes`.
    """
    jobs: list[Job] = []
    for place, table in enumerate(tables):
        for config in configs:
            for recalls in (False, True) if table.vectors is not None and uses_memory(config) else (False,):
                jobs += [Job(place, config, recalls, number) for number in range(plan.orders)]
    found = replayed_orders([(table.recorded, table.vectors) for table in tables], jobs, plan, processes)
    results, start = [], 0
    for table in tables:
        for config in configs:
            with_memory = table.vectors is not None and uses_memory(config)
            off = found[start : start + plan.orders]
            start += plan.orders
            on = found[start : start + plan.orders] if with_memory else []
            start += len(on)
            results.append(_replayed(table, config, plan, on or off, off if on else None))
    return results


def uses_memory(config: Config) -> bool:
    """Whether the policy reads the memory bank."""
    return (
        config.memory.enabled
        and config.evolution.policy not in FORGETFUL
        and bool(config.evolution.memory_weight)
    )


def _replayed(
    table: Table, config: Config, plan: Plan, found: Sequence[OrderResult], off: Sequence[OrderResult] | None
) -> Replayed:
    recorded = table.recorded
    bounds = Bounds.of(recorded, plan.draws, config.reward.cost is not Cost.none)
    means = np.array([order.mean for order in found])
    mean = float(means.mean())
    per_cost = np.array([order.per_cost for order in found if order.per_cost is not None])
    slopes = [order.memory_slope for order in found if order.memory_slope is not None]
    return Replayed(
        table=recorded.name,
        policy=config.evolution.policy.value,
        agents=len(recorded.agents),
        instructions=len(recorded.instructions),
        draws=plan.draws,
        passes=plan.passes,
        seeds=plan.orders,
        memory="off" if off is None else table.memory,
        mean=mean,
        half_width=_half_width(means),
        bounds=bounds,
        # Both bounds are the same in every order, which goes over the whole table.
        beyond_uniform=Difference.of(means - bounds.uniform),
        beyond_fixed=Difference.of(means - bounds.fixed),
        beyond_no_memory=Difference.of(means - np.array([order.mean for order in off])) if off else None,
        per_cost=float(per_cost.mean()) if len(per_cost) else None,
        per_cost_half_width=_half_width(per_cost),
        gap_closed=_share(mean, bounds.uniform, bounds.fixed),
        gap_closed_each=_share(mean, bounds.uniform, bounds.each),
        hit_rate=float(np.mean([order.hit_rate for order in found])),
        memory_slope=sum(slopes) / len(slopes) if slopes else None,
        curve=tuple(np.mean([order.curve for order in found], axis=0).tolist()),
    )


def _share(mean: float, low: float, high: float) -> float | None:
    return (mean - low) / (high - low) if high > low else None


def _half_width(values: NDArray[np.float64]) -> float | None:
    if len(values) < 2:
        return None
    from scipy import stats  # takes a second to import

    return float(stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / math.sqrt(len(values)))
