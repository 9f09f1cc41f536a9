"""A fully loaded seed worker still answers calls that scale or watch the run."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import ray

from actors.seed_worker import SeedWorker
from actors.seed_workers import CONTROL, CONTROL_CALLS, SeedWorkers
from cluster.session.demand import demand_of
from cluster.session.ray_session import ray_session
from staragents.validation.loading import load_config


class Full(SeedWorker):
    """Never finishes a seed."""

    def __init__(self) -> None:
        self.generators: Any = SimpleNamespace(counters={})
        self.scorers = {"target": SimpleNamespace(outstanding=7, size=1)}  # type: ignore[dict-item]
        self._process = "one"

    async def run(self, *work: Any) -> Any:
        await asyncio.Event().wait()


def test_control_calls_are_answered_while_every_slot_is_taken() -> None:
    config = load_config("configs/fake.yaml")
    with ray_session(demand_of(config)):
        as_actor = ray.remote(concurrency_groups={CONTROL: CONTROL_CALLS})(Full)
        actor = as_actor.options(num_cpus=0, max_concurrency=2).remote()
        ray.get(actor.state.remote())  # it is up
        seeds = [actor.run.remote() for _ in range(4)]
        state = asyncio.run(SeedWorkers([actor], config.run).state())
        assert (state.outstanding, state.scorers) == ({"target": 7}, {"target": 1})
        assert ray.wait(seeds, num_returns=1, timeout=0.5)[0] == []
