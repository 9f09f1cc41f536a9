"""Control messages change the pools of a worker; a message about an actor that is gone changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from types import SimpleNamespace
from typing import Any

import pytest

from actors import seed_worker_actor
from actors.control import AddScorer, RemoveScorer, ResizeModel
from actors.scorer_pool import ScorerPool
from actors.seed_worker_actor import SeedWorkerActor
from staragents.validation.loading import load_config
from tests.support.local_run import local_handles, local_worker
from tests.support.paths import FAKE


@pytest.fixture
async def worker(monkeypatch: pytest.MonkeyPatch) -> SeedWorkerActor:
    """One of two workers, without Ray: the only actor that can be found is `scorer-1`."""
    config = load_config(FAKE, ["models.writer.max_num_seqs=5"])
    plain = local_worker(config, await local_handles(config))
    made = SeedWorkerActor.__new__(SeedWorkerActor)
    made.__dict__.update(plain.__dict__)
    made._config, made._num_workers, made._loop = config, 2, asyncio.get_running_loop()
    made.scorers = {"target": ScorerPool(["scorer-0"], 100, 3, 60)}
    known: dict[str, Any] = {"scorer-1": "scorer-1"}

    def get_actor(name: str) -> Any:
        if name not in known:
            raise ValueError(name)
        return known[name]

    monkeypatch.setattr(seed_worker_actor, "ray", SimpleNamespace(get_actor=get_actor))
    return made


async def test_a_worker_gets_its_share_of_a_resized_model(worker: SeedWorkerActor) -> None:
    assert worker._config.models["writer"].max_ongoing == 5
    await worker.tell(ResizeModel("writer", 3, 3))
    assert worker.generators.limits["writer"] == 8  # 15 for two workers, rounded up


async def test_control_calls_change_a_worker_in_its_own_loop(
    worker: SeedWorkerActor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray runs them in another thread, with a loop of its own."""
    own, loops = asyncio.get_running_loop(), []

    async def removed(pool: ScorerPool, actor: Any) -> None:
        loops.append(asyncio.get_running_loop())

    monkeypatch.setattr(ScorerPool, "add", lambda pool, actor: loops.append(asyncio.get_running_loop()))
    monkeypatch.setattr(ScorerPool, "remove", removed)

    async def elsewhere(call: Coroutine[Any, Any, None]) -> None:
        await asyncio.wait_for(asyncio.to_thread(asyncio.run, call), 20)

    await elsewhere(worker.tell(AddScorer("target", "scorer-1")))
    await elsewhere(worker.tell(RemoveScorer("target", "scorer-1")))
    assert loops == [own, own]
    task: Any = SimpleNamespace(cancel=lambda: loops.append(asyncio.get_running_loop()))
    worker._work[("s0", ())] = task
    await elsewhere(worker.stop())
    assert loops == [own, own, own]


async def test_scorers_come_and_go(worker: SeedWorkerActor) -> None:
    await worker.tell(AddScorer("target", "scorer-1"))
    assert worker.scorers["target"].size == 2
    await worker.tell(AddScorer("target", "gone"))
    await worker.tell(RemoveScorer("target", "gone"))
    assert worker.scorers["target"].size == 2
    await worker.tell(RemoveScorer("target", "scorer-1"))
    assert worker.scorers["target"].size == 1
