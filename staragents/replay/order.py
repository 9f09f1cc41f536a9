"""One random order of a table's instructions, drawn and learnt from by one policy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from staragents.base.records import stable_seed
from staragents.config import Config, Cost
from staragents.evolution.choice import make_policy
from staragents.evolution.drawing import FloatArray
from staragents.evolution.policy import Outcome, RecalledOutcomes
from staragents.replay.nearness import Nearness
from staragents.replay.recollection import Recollection
from staragents.replay.recorded_table import RecordedTable
from staragents.reward.cost import CostScale

POINTS = 100


@dataclass(frozen=True, slots=True)
class Plan:
    """`draws` distinct agents for each instruction, `passes` times over the table, in `orders` random
    orders."""

    draws: int = 2
    passes: int = 1
    orders: int = 20


@dataclass(frozen=True, slots=True)
class OrderResult:
    """`mean` is the mean reward per draw, `per_cost` the sum of rewards over that of costs."""

    mean: float
    per_cost: float | None
    hit_rate: float
    memory_slope: float | None
    curve: tuple[float, ...]
    """Running mean reward at `POINTS` evenly spaced turns, or at all if there are fewer."""
    chosen: tuple[int, ...]
    """Of each row, the column of the drawn agent with the highest reward, in the last pass."""


def replay_order(
    table: RecordedTable, config: Config, plan: Plan, nearness: Nearness | None, number: int
) -> OrderResult:
    """Replay order `number`; instructions are shuffled anew for every pass. Without `nearness`, memory is
    off."""
    rows = len(table.instructions)
    turns = plan.passes * rows
    policy = make_policy(config.evolution, table.agents, turns)
    index = {agent: column for column, agent in enumerate(table.agents)}
    memory = (
        Recollection(nearness, config.memory, table.agents, rows, plan.passes, plan.draws)
        if nearness
        else None
    )
    scale = CostScale(config.reward.cost)
    costs = table.costs if config.reward.cost is not Cost.none else None
    earned, hits, spent = np.zeros(turns), 0, 0.0
    chosen = [0] * rows
    rng = np.random.default_rng(number)
    order = np.concatenate([rng.permutation(rows) for _ in range(plan.passes)])
    for turn, row in enumerate(order.tolist()):
        recalled = memory.recall(row) if memory else RecalledOutcomes()
        hits += len(recalled) > 0
        context = policy.context(recalled)
        drawn = policy.draw(plan.draws, stable_seed("replay", str(number), str(turn)), context)
        columns = [index[one.pair] for one in drawn]
        rewards = table.rewards[row, columns].tolist()
        best = max(range(len(drawn)), key=rewards.__getitem__)
        chosen[row] = columns[best]
        values = rewards
        if costs is not None:
            paid = costs[row, columns].tolist()
            spent += sum(paid)
            for cost in paid:
                scale.add(cost, cost)
            values = [scale.value(reward, cost, cost) for reward, cost in zip(rewards, paid, strict=True)]
        outcomes = [
            Outcome(one.pair, value, place == best, one.propensity)
            for place, (one, value) in enumerate(zip(drawn, values, strict=True))
        ]
        policy.observe(outcomes, context)
        if memory:
            memory.remember(row, outcomes)
        earned[turn] = sum(rewards) / len(rewards)
    worth = getattr(policy, "memory_worth", None)
    return OrderResult(
        mean=float(earned.mean()),
        per_cost=float(earned.sum()) * plan.draws / spent if spent else None,
        hit_rate=hits / turns,
        memory_slope=worth() if worth and memory else None,
        curve=_curve(earned),
        chosen=tuple(chosen),
    )


def _curve(earned: FloatArray) -> tuple[float, ...]:
    so_far = earned.cumsum() / np.arange(1, len(earned) + 1)
    return tuple(so_far[np.unique(np.linspace(0, len(earned) - 1, POINTS).astype(int))].tolist())
