"""A pool of fake replicas under changing load: 1, 4, 1, none and back, with every request answered once."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from pathlib import Path

import pytest
import ray
from ray import cloudpickle, serve

from actors.generator_client import GeneratorClient, ModelCounters, connect
from cluster.pools import generators
from cluster.pools.generators import resize_generator, running_generators
from cluster.session.demand import demand_of
from cluster.session.ray_session import ray_session
from staragents.base.generation import GenerationRequest, Sampling
from staragents.base.messages import Message
from staragents.config import Config
from staragents.validation.loading import load_config
from tests.support.paths import FAKE

# Ray's workers can't import tests.
cloudpickle.register_pickle_by_value(sys.modules[__name__])

QUICKLY = {
    "upscale_delay_s": 1.0, "downscale_delay_s": 3.0, "metrics_interval_s": 0.5, "look_back_period_s": 2.0,
}  # fmt: skip
PACK_DELAY_S = 300.0
FIRST_WAVE = 24


class Load:
    """Keeps `wanted` requests in flight and counts the answers to each."""

    def __init__(self, client: GeneratorClient) -> None:
        self.wanted = 0
        self.asked = 0
        self.answers: Counter[int] = Counter()
        self._client = client
        self._tasks: set[asyncio.Task[None]] = set()

    async def go_on(self) -> None:
        while True:
            while len(self._tasks) < self.wanted:
                task = asyncio.ensure_future(self._ask(self.asked))
                self.asked += 1
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            await asyncio.sleep(0.05)

    async def finish(self) -> None:
        self.wanted = 0
        await asyncio.gather(*self._tasks)

    async def _ask(self, number: int) -> None:
        messages = (Message("user", f"Say {number}."),)
        request = GenerationRequest(f"r{number}", Sampling(), number, messages=messages, deadline_s=60)
        await self._client.generate("writer", request)
        self.answers[number] += 1


def replicas(app: str) -> int:
    states = serve.status().applications[app].deployments["writer"].replica_states
    return sum(number for state, number in states.items() if state in ("RUNNING", "STARTING", "STOPPING"))


async def until(app: str, number: int) -> None:
    async with asyncio.timeout(PACK_DELAY_S):
        while await asyncio.to_thread(replicas, app) != number:
            await asyncio.sleep(0.3)


def under_changing_load(config: Config, apps: dict[str, str]) -> tuple[int, Counter[int], ModelCounters]:
    """The number of requests, how often each was answered, and what the client counted."""
    generators.FOLLOWING = QUICKLY
    return asyncio.run(changing_load(config, apps["writer"], connect(config, apps, None)))


async def changing_load(
    config: Config, app: str, client: GeneratorClient
) -> tuple[int, Counter[int], ModelCounters]:
    load = Load(client)
    feeding = asyncio.ensure_future(load.go_on())
    model = config.models["writer"]

    async def resize(low: int, high: int) -> None:
        client.resize("writer", high * model.max_ongoing)
        await asyncio.to_thread(resize_generator, app, "writer", model, low, high)

    load.wanted = FIRST_WAVE
    await until(app, 4)
    load.wanted = 1
    await until(app, 1)
    await resize(0, 0)
    await until(app, 0)
    load.wanted = 6
    answered = load.answers.total()
    await asyncio.sleep(2)
    assert load.answers.total() <= answered + 1, "a paused pool answers nothing but what it was sent before"
    await resize(1, 4)
    await until(app, 2)
    feeding.cancel()
    await load.finish()
    return load.asked, load.answers, client.counters["writer"]


def test_a_pool_follows_its_load_and_answers_every_request_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generators, "FOLLOWING", QUICKLY)
    config = load_config(
        FAKE,
        [f"output.dir={tmp_path / 'run'}", "models.writer.min_replicas=1", "models.writer.max_replicas=4",
         "models.writer.max_num_seqs=4", "models.writer.fake.latency_s=1"],
    )  # fmt: skip
    del config.models["judge"]
    with ray_session(demand_of(config)), running_generators(config, "autoscale") as apps:
        # In its own process, as in a run: Serve's threads outlive the handle, and in this process Ray.
        scenario = ray.remote(num_cpus=0)(under_changing_load)
        asked, answers, counters = ray.get(scenario.remote(config, apps))
    assert asked > FIRST_WAVE, "requests went on while the pool shrank and grew"
    assert answers == Counter(range(asked)), "none lost, none twice"
    assert (counters.answers, counters.retries, counters.failures) == (asked, 0, 0)
