"""What a run's candidates taught its policy, read from its shards."""

from __future__ import annotations

import heapq
from collections.abc import Container, Iterator
from dataclasses import replace

from staragents.base.errors import BadInput
from staragents.base.messages import last_exchange
from staragents.config import Cost, MemoryConfig
from staragents.evolution.policy import outcomes_of
from staragents.memory.eviction import tells
from staragents.memory.memory import BEFORE_THIS_RUN, Taught
from staragents.reward.cost import CostScale
from staragents.run_directory.run_directory import RunDirectory


def recorded(run: RunDirectory, config: MemoryConfig, cost: Cost, start: int = 0) -> Iterator[Taught]:
    """The committed seeds from number `start`, as their commits gave them to the bank. `cost` is
    `reward.cost`."""
    costs = CostScale(cost)
    for order, candidates in enumerate(run.seeds()):
        learned = costs.learned(candidates)
        if order >= start:
            instruction, _ = last_exchange(candidates[0].seed_messages)
            yield Taught.by(config, order, candidates[0].seed_id, instruction, outcomes_of(learned))


def of_earlier_runs(pairs: Container[str], config: MemoryConfig, cost: Cost) -> list[Taught]:
    """What the runs in `memory.reuse` taught about pairs that exist in this run: the seeds that tell most, at
    most `memory.max_points`.

    Raises BadInput for a folder without candidates.
    """
    found = (one for folder in config.reuse for one in _earlier(folder, pairs, config, cost))

    def rank(one: Taught) -> tuple[float, str]:
        return tells(one.rewards, config.keep), one.seed_id

    return sorted(heapq.nlargest(config.max_points, found, key=rank), key=lambda one: one.seed_id)


def _earlier(folder: str, pairs: Container[str], config: MemoryConfig, cost: Cost) -> Iterator[Taught]:
    run = RunDirectory(folder)
    if not run.shards():
        raise BadInput(f"memory.reuse: expected a run directory, got {folder!r}, which has no candidates")
    for one in recorded(run, config, cost):
        known = [number for number, pair in enumerate(one.pairs) if pair in pairs]
        if known:
            yield replace(
                one,
                order=BEFORE_THIS_RUN,
                # Runs may share seeds.
                seed_id=f"{folder}/{one.seed_id}",
                pairs=tuple(one.pairs[number] for number in known),
                rewards=tuple(one.rewards[number] for number in known),
                won=tuple(one.won[number] for number in known),
            )
