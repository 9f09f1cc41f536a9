"""A whole run in this process, without Ray: the real coordinator, pipeline and fake engines."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from actors.coordinator import Coordinator
from actors.failure import Failure
from actors.generator import Generator
from actors.generator_client import GeneratorClient, Handle
from actors.memory import MemoryActor
from actors.seed_worker import SeedWorker, Worker
from staragents.agents.probes import probes_of
from staragents.base.generation import Generation, GenerationRequest
from staragents.base.messages import Conversation
from staragents.config import Config
from staragents.data.seed_file import SeedFile
from staragents.run.work import Work, finish, work_of
from staragents.run_directory.run_directory import RunDirectory
from staragents.scoring.fake_ifd_model import FakeIfdModel
from staragents.scoring.ifd import Score, ScoreRow


class LocalHandle:
    """A model pool of one replica in this process."""

    def __init__(self, generator: Generator) -> None:
        self._generator = generator
        self.requests = 0

    async def remote(self, request: GenerationRequest) -> Generation | Failure:
        self.requests += 1
        return await self._generator.generate(request)

    async def remarks(self) -> list[str]:
        return await self._generator.remarks()


class LocalScorer:
    outstanding = size = 0

    def __init__(self, role: str) -> None:
        self._model = FakeIfdModel(role)

    async def score(self, messages: Conversation) -> tuple[Score, float]:
        return self._model.score([ScoreRow(messages)])[0], 0.0


class LocalActor:
    """An actor in this process: `actor.method.remote(...)` starts immediately."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._actor, name)
        return SimpleNamespace(remote=lambda *arguments: asyncio.ensure_future(method(*arguments)))


async def local_handles(config: Config) -> dict[str, LocalHandle]:
    handles = {}
    for name, model in config.models.items():
        generator = Generator(model, "", probes_of(config, name))
        await generator.start()
        handles[name] = LocalHandle(generator)
    return handles


def local_worker(
    config: Config,
    handles: Mapping[str, Handle],
    scorer: Callable[[str], LocalScorer] = LocalScorer,
    **client: Any,
) -> SeedWorker:
    return SeedWorker(
        config,
        GeneratorClient(
            dict(handles),
            {name: model.max_ongoing for name, model in config.models.items()},
            config.run.attempts,
            **client,
        ),
        scorer("target"),  # type: ignore[arg-type]
        scorer("larger"),  # type: ignore[arg-type]
        True,
        kept=config.run.admitted_seeds if config.run.workers else 0,
    )


async def local_run(
    config: Config,
    before: Callable[[Coordinator], Any] = lambda coordinator: None,
    handles: Mapping[str, Handle] | None = None,
    workers: Callable[[Callable[[], SeedWorker]], Worker] = lambda make: make(),
    given: Config | None = None,
    **client: Any,
) -> dict[str, Any]:
    """Run or resume; returns the summary. `before` may change the coordinator, `workers` its workers.
    `given`: the config of the command, which `staragents change` has changed to `config`."""
    scan = SeedFile(config.seeds).scan()
    run = RunDirectory(config.output.dir)
    with run.claimed() as session:
        work = work_of(config, scan)
        if (summary := finish(work)) is not None:
            return summary
        run.create(work.config, scan)
        return await _work(work, session, before, handles, workers, given or work.given, **client)


async def _work(
    work: Work,
    session: str,
    before: Callable[[Coordinator], Any],
    handles: Mapping[str, Handle] | None,
    workers: Callable[[Callable[[], SeedWorker]], Worker],
    given: Config,
    **client: Any,
) -> dict[str, Any]:
    config, run = work.config, work.run
    handles = handles or await local_handles(config)
    settings = (config.memory, str(run.memory), "", run.name, config.pairs, config.reward.cost)
    memory = MemoryActor(*settings) if config.memory.enabled else None
    coordinator = Coordinator(
        config,
        work.scan,
        workers(lambda: local_worker(config, handles, **client)),
        LocalActor(memory) if memory else None,
        {"engines": {name: model.kind.value for name, model in config.models.items()}},
        session,
        given,
    )
    before(coordinator)
    try:
        return await coordinator.run()
    finally:
        if memory is not None:
            await memory.close()


async def statuses_of(coordinator: Coordinator, seen: list[dict[str, Any]]) -> None:
    """Append the status after every commit, until cancelled or the event loop ends."""
    seeds = coordinator.progress.seeds
    while True:
        if coordinator.progress.seeds != seeds:
            seeds = coordinator.progress.seeds
            seen.append(await coordinator.status())
        await asyncio.sleep(0)


async def drained_run(
    config: Config, seeds: int, handles: Mapping[str, Handle] | None = None, given: Config | None = None
) -> dict[str, Any]:
    """Run or resume `config` until this many seeds are committed, as after Ctrl-C; returns the summary."""
    draining: list[asyncio.Future[None]] = []

    async def drain(coordinator: Coordinator) -> None:
        while coordinator.progress.seeds < seeds:
            await asyncio.sleep(0)
        await coordinator.drain()

    def before(coordinator: Coordinator) -> None:
        draining.append(asyncio.ensure_future(drain(coordinator)))

    try:
        return await local_run(config, before, handles, given=given)
    finally:
        for task in draining:
            task.cancel()


def decided(run_dir: str | Path) -> list[dict[str, Any]]:
    """All candidates without measured times."""
    timing = ("seconds", "stage_seconds")
    return [
        {name: getattr(c, name) for name in c.__slots__ if name not in timing}
        for seed in RunDirectory(run_dir).seeds()
        for c in seed
    ]


def state(run_dir: str | Path) -> dict[str, Any]:
    return json.loads((Path(run_dir) / "run_state.json").read_text())
