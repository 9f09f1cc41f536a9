"""Seeds processed in several processes: the same dataset, whichever of them dies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ray.exceptions import ActorDiedError, ObjectLostError, RayTaskError

from actors import measuring, seed_workers
from actors.control import Control, ResizeModel
from actors.generator_client import ModelCounters
from actors.seed_worker import SeedWorker
from actors.seed_workers import SeedWorkers
from staragents.base.errors import RunFailed
from staragents.config import RunConfig
from staragents.data.seed_file import SeedFile
from staragents.evolution.policy import NO_CONTEXT, Draw
from staragents.validation.loading import load_config
from tests.support.local_run import decided, local_handles, local_run, local_worker
from tests.support.paths import FAKE

pytestmark = pytest.mark.slow

DRAWN = [Draw(pair, 0.5) for pair in load_config(FAKE, []).pairs[:2]]


class Mortal:
    """An actor in this process that can be killed: calls in flight fail, and a fresh one replaces it. It can
    hang: then no call is answered. Of its streams, those in `lost` yield results that were lost."""

    def __init__(self, make: Callable[[], SeedWorker]) -> None:
        self._make = make
        self._calls: set[asyncio.Future[Any]] = set()
        self.worker = make()
        self.heard: list[Control] = []
        self.hangs = False
        self.kills = self.streams = 0
        self.lost: set[int] = set()

    async def _stream(self, work: bytes) -> AsyncIterator[asyncio.Future[bytes]]:
        self.streams += 1
        lost = self.streams in self.lost
        answers = self.worker.run_many(work)
        while True:
            try:
                answer = await self._call(lambda: anext(answers))
            except StopAsyncIteration:
                return
            ready = asyncio.get_running_loop().create_future()
            if lost:
                ready.set_exception(ObjectLostError("00ff", None, ""))
            else:
                ready.set_result(answer)
            yield ready

    def __getattr__(self, name: str) -> Any:
        if name == "run_many":
            return SimpleNamespace(options=lambda **_: SimpleNamespace(remote=self._stream))
        call = SimpleNamespace(remote=lambda *arguments: asyncio.ensure_future(self._told(name, arguments)))
        call.options = lambda **_: call
        return call

    def kill(self) -> None:
        for call in self._calls:
            call.cancel()
        self.hangs = False
        self.kills += 1
        self.worker, self.heard = self._make(), []

    async def _told(self, name: str, arguments: tuple[Any, ...]) -> Any:
        if name == "tell":
            self.heard += arguments
            return None
        return await self._call(lambda: getattr(self.worker, name)(*arguments))

    async def _call(self, method: Callable[[], Any]) -> Any:
        call = asyncio.ensure_future(self._unless_it_hangs(method))
        self._calls.add(call)
        try:
            return await call
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise  # the caller gave up
            raise ActorDiedError() from None
        finally:
            self._calls.discard(call)

    async def _unless_it_hangs(self, method: Callable[[], Any]) -> Any:
        answer = await method()
        if self.hangs:
            await asyncio.Event().wait()
        return answer


class Killed(SeedWorkers):
    """Workers, one of which dies with every third seed in flight."""

    asked = 0
    deaths = 0

    async def run(self, seed: Any, *rest: Any) -> Any:
        self.asked += 1
        if self.asked % 3 == 0:
            actor = self._actors[seed.row % len(self._actors)]
            asyncio.get_running_loop().call_soon(asyncio.get_running_loop().call_soon, actor.kill)
            self.deaths += 1
        return await super().run(seed, *rest)


def config_for(folder: Path, *overrides: str) -> Any:
    memory = ("memory.warmup=0", "memory.min_similarity=0.2")
    return load_config(FAKE, [f"output.dir={folder}", "seeds.limit=40", *memory, "run.workers=2", *overrides])


@pytest.mark.parametrize("kind", [SeedWorkers, Killed])
async def test_several_workers_give_the_same_dataset(
    finished_run: Path, tmp_path: Path, kind: type[SeedWorkers]
) -> None:
    config = config_for(tmp_path / "run", "run.attempts=9")
    made: list[SeedWorkers] = []

    def workers(make: Callable[[], SeedWorker]) -> SeedWorkers:
        made.append(kind([Mortal(make), Mortal(make)], config.run))
        return made[0]

    summary = await local_run(config, workers=workers)
    assert decided(tmp_path / "run") == decided(finished_run)
    assert summary["funnel"]["failed"] == {}
    if isinstance(made[0], Killed):
        assert made[0].deaths > 10


@pytest.fixture
async def made(tmp_path: Path) -> tuple[list[Mortal], SeedWorkers, list[Any]]:
    """Two of them, and 40 seeds."""
    config = config_for(tmp_path / "run")
    handles = await local_handles(config)
    actors = [Mortal(lambda: local_worker(config, handles)) for _ in range(2)]
    return actors, SeedWorkers(actors, config.run), list(SeedFile(config.seeds).seeds())


async def test_a_restarted_coordinator_gets_finished_results(made: Any) -> None:
    actors, workers, seeds = made
    first = await workers.run(seeds[0], DRAWN, NO_CONTEXT)
    again = await SeedWorkers(actors, RunConfig()).run(seeds[0], DRAWN, NO_CONTEXT)
    assert again == first
    asked = (await workers.state()).counters["writer"].answers
    assert asked > 0
    other = await workers.run(seeds[0], DRAWN[:1], NO_CONTEXT)
    assert [candidate.pair for candidate in other] == [DRAWN[0].pair], "other draws are other work"


async def test_each_worker_keeps_the_results_of_its_last_seeds(made: Any) -> None:
    actors, workers, seeds = made
    for seed in seeds:
        await workers.run(seed, DRAWN, NO_CONTEXT)
    kept = load_config(FAKE, []).run.admitted_seeds
    for index, actor in enumerate(actors):
        own = [seed.seed_id for seed in seeds if seed.row % len(actors) == index]
        assert len(own) > kept
        assert [seed_id for seed_id, _ in actor.worker._work] == own[-kept:]


async def test_counters_continue_and_orders_are_repeated_after_a_restart(made: Any) -> None:
    actors, workers, seeds = made
    await workers.tell(ResizeModel("writer", 3, 3))
    for seed in seeds[:4]:
        await workers.run(seed, DRAWN, NO_CONTEXT)
    before = (await workers.state()).counters["writer"]
    actors[0].kill()
    assert (await workers.state()).counters["writer"] == before
    await asyncio.sleep(0)
    assert [actor.heard for actor in actors] == [[ResizeModel("writer", 3, 3)], [ResizeModel("writer", 3, 3)]]
    for seed in seeds[4:8]:
        await workers.run(seed, DRAWN, NO_CONTEXT)
    assert (await workers.state()).counters["writer"].answers > before.answers


async def test_a_seed_that_always_kills_ends_the_run(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    actors, _, seeds = made
    workers = SeedWorkers(actors, RunConfig(attempts=2))

    async def dies(*_: Any) -> None:
        raise ActorDiedError()

    for actor in actors:
        monkeypatch.setattr(actor.worker, "run", dies)
    with pytest.raises(RunFailed, match=f"row {seeds[0].row}: its seed worker failed 2 times"):
        await workers.run(seeds[0], DRAWN, NO_CONTEXT)


async def test_results_that_were_lost_with_their_node_are_asked_for_again(
    finished_run: Path, tmp_path: Path
) -> None:
    config = config_for(tmp_path / "run")
    made: list[Mortal] = []

    def workers(make: Callable[[], SeedWorker]) -> SeedWorkers:
        made.extend(Mortal(make) for _ in range(2))
        for actor in made:
            actor.lost = {1, 3}
        return SeedWorkers(made, config.run)

    await local_run(config, workers=workers)
    assert decided(tmp_path / "run") == decided(finished_run)
    assert all(actor.streams >= 3 for actor in made)


async def test_an_error_of_our_own_code_is_not_retried(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    actors, workers, seeds = made
    asked = []

    async def fails(*work: Any) -> None:
        asked.append(work)
        raise RayTaskError("run", "a bug", ValueError()).as_instanceof_cause()

    for actor in actors:
        monkeypatch.setattr(actor.worker, "run", fails)
    with pytest.raises(RayTaskError, match="a bug"):
        await workers.run(seeds[0], DRAWN, NO_CONTEXT)
    assert len(asked) == 1


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker hangs after 0.5 s."""
    monkeypatch.setattr(seed_workers, "restart", Mortal.kill)
    monkeypatch.setattr(seed_workers, "STATE_TIMEOUT_S", 0.2)
    monkeypatch.setattr(seed_workers, "HANGS_AFTER_S", 0.5)
    monkeypatch.setattr(measuring, "METRICS_EVERY_S", 0.05)
    monkeypatch.setattr(measuring, "LAG_EVERY_S", 0.02)


async def test_a_worker_that_hangs_is_restarted(
    finished_run: Path, tmp_path: Path, impatient: None, caplog: pytest.LogCaptureFixture
) -> None:
    config = config_for(tmp_path / "run")
    made: list[Mortal] = []

    def workers(make: Callable[[], SeedWorker]) -> SeedWorkers:
        made.extend(Mortal(make) for _ in range(2))
        return SeedWorkers(made, config.run)

    async def hang(coordinator: Any) -> None:
        while coordinator.progress.seeds < 5:
            await asyncio.sleep(0)
        made[0].hangs = True

    hanging: list[asyncio.Future[None]] = []
    run = local_run(config, lambda one: hanging.append(asyncio.ensure_future(hang(one))), workers=workers)
    await asyncio.wait_for(run, 30)
    assert decided(tmp_path / "run") == decided(finished_run)
    assert [actor.kills for actor in made] == [1, 0]
    assert sum("has not answered for" in line for line in caplog.messages) == 1


async def test_a_worker_that_still_waits_for_a_node_is_not_restarted(impatient: None, made: Any) -> None:
    actors, workers, _ = made
    actors[0].hangs = True
    for _ in range(6):
        await workers.state()
    assert actors[0].kills == 0
    actors[0].hangs = False
    await workers.state()
    actors[0].hangs = True
    for _ in range(6):
        await workers.state()
    assert actors[0].kills == 1


async def test_a_run_does_not_wait_at_its_end_for_a_worker_that_hangs(impatient: None, made: Any) -> None:
    actors, workers, _ = made
    actors[0].hangs = True
    await asyncio.wait_for(workers.stop(), 20)


def test_counters_add_up() -> None:
    assert ModelCounters(1, 2, 3, 4, 5, 6) + ModelCounters(running=1) == ModelCounters(2, 2, 3, 4, 5, 6)
