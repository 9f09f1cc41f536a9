"""Replays a policy on recorded agents in many random orders and compares its reward with the bounds."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from staragents.base.records import stable_seed
from staragents.config import Config
from staragents.evolution.choice import make_policy
from staragents.evolution.drawing import FloatArray
from staragents.evolution.policy import Outcome, RecalledOutcomes
from staragents.replay.recollection import Recollection
from staragents.replay.recorded_table import RecordedTable


@dataclass(frozen=True, slots=True)
class Replayed:
    """Mean rewards per draw. `half_width` is that of a 95 % interval over `seeds` random orders.

    `uniform` is exact; `best_fixed` is the mean of the `draws` agents best on the whole table, `best_each`
    that of those best for each instruction. `gap_closed` is the share of the gap between uniform draws and
    the best fixed agents that the policy closes.
    """

    table: str
    policy: str
    agents: int
    instructions: int
    draws: int
    passes: int
    seeds: int
    memory: str
    mean: float
    half_width: float | None
    uniform: float
    best_fixed: float
    best_fixed_agents: tuple[str, ...]
    best_each: float
    gap_closed: float | None
    gap_closed_each: float | None
    hit_rate: float
    memory_slope: float | None
    curve: tuple[float, ...]
    """Running mean reward at evenly spaced points of the run, averaged over the orders."""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


POINTS = 100


def replay_table(
    table: RecordedTable,
    config: Config,
    draws: int,
    passes: int,
    seeds: int,
    vectors: NDArray[np.float32] | None = None,
    memory: str = "off",
    everything: bool = False,
) -> Replayed:
    """Run `config.evolution` on the table; instructions are shuffled for every pass.

    `vectors` are the instructions' unit embeddings; without them, memory is off.
    """
    draws = min(draws, len(table.agents))
    earned = np.zeros((seeds, passes * len(table.instructions)))
    hits, slopes = 0, []
    for seed in range(seeds):
        order = _Order(table, config, draws, passes, vectors, everything)
        earned[seed], run_hits, slope = order.run(seed)
        hits += run_hits
        slopes.append(slope)
    means = earned.mean(axis=1)
    ranked = np.argsort(-table.rewards.mean(axis=0), kind="stable")[:draws]
    uniform, fixed = float(table.rewards.mean()), float(table.rewards[:, ranked].mean())
    each = float(np.sort(table.rewards, axis=1)[:, -draws:].mean())
    mean = float(means.mean())
    so_far = (earned.cumsum(axis=1) / np.arange(1, earned.shape[1] + 1)).mean(axis=0)
    indices = np.unique(np.linspace(0, earned.shape[1] - 1, POINTS).astype(int))
    known = [slope for slope in slopes if slope is not None]
    return Replayed(
        table=table.name,
        policy=config.evolution.policy.value,
        agents=len(table.agents),
        instructions=len(table.instructions),
        draws=draws,
        passes=passes,
        seeds=seeds,
        memory=memory if vectors is not None else "off",
        mean=mean,
        half_width=1.96 * float(means.std(ddof=1)) / math.sqrt(seeds) if seeds > 1 else None,
        uniform=uniform,
        best_fixed=fixed,
        best_fixed_agents=tuple(table.agents[index] for index in ranked),
        best_each=each,
        gap_closed=(mean - uniform) / (fixed - uniform) if fixed > uniform else None,
        gap_closed_each=(mean - uniform) / (each - uniform) if each > uniform else None,
        hit_rate=hits / earned.size,
        memory_slope=sum(known) / len(known) if known else None,
        curve=tuple(so_far[indices].tolist()),
    )


class _Order:
    """One random order."""

    def __init__(
        self,
        table: RecordedTable,
        config: Config,
        draws: int,
        passes: int,
        vectors: NDArray[np.float32] | None,
        everything: bool,
    ) -> None:
        self._table = table
        self._draws, self._passes = draws, passes
        self._turns = passes * len(table.instructions)
        self._policy = make_policy(config.evolution, table.agents, self._turns)
        self._index = {agent: index for index, agent in enumerate(table.agents)}
        self._memory = (
            None
            if vectors is None
            else Recollection(vectors, config.memory, len(table.agents), self._turns * draws, everything)
        )

    def run(self, seed: int) -> tuple[FloatArray, int, float | None]:
        """Mean reward of each turn, the number of turns with neighbours, and the learnt memory slope."""
        earned, hits = np.zeros(self._turns), 0
        rng = np.random.default_rng(seed)
        order = np.concatenate([rng.permutation(len(self._table.instructions)) for _ in range(self._passes)])
        for turn, row in enumerate(order.tolist()):
            recalled = self._memory.recall(row) if self._memory else RecalledOutcomes()
            hits += bool(recalled)
            context = self._policy.context(recalled)
            drawn = self._policy.draw(self._draws, stable_seed("replay", str(seed), str(turn)), context)
            rewards = [float(self._table.rewards[row, self._index[one.pair]]) for one in drawn]
            best = max(range(len(drawn)), key=rewards.__getitem__)
            outcomes = [
                Outcome(one.pair, reward, index == best, one.propensity)
                for index, (one, reward) in enumerate(zip(drawn, rewards, strict=True))
            ]
            self._policy.observe(outcomes, context)
            if self._memory:
                self._memory.remember(row, outcomes)
            earned[turn] = sum(rewards) / len(rewards)
        worth = getattr(self._policy, "memory_worth", None)
        return earned, hits, worth() if worth and self._memory else None
