"""The coordinator in one process, on fake engines: what it decides depends on results, not on their order."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from actors.coordinator import Coordinator
from actors.engines.fake_engine import FakeEngine
from actors.generator_client import GeneratorClient
from actors.memory import MemoryActor
from staragents.config import Config
from staragents.config_loading import load_config
from staragents.generation import Generation, GenerationRequest
from staragents.messages import Conversation
from staragents.run_directory import RunDirectory
from staragents.scoring.fake_ifd_model import FakeIfdModel
from staragents.scoring.ifd import Score, ScoreRow
from staragents.seeds.seed_file import SeedFile

FAKE = Path(__file__).parents[2] / "configs/fake.yaml"
TIMING = {"seconds", "stage_seconds"}


class Shuffled:
    """A pool that answers `in_flight` requests at once, each after a time of its own."""

    def __init__(self, engine: FakeEngine, in_flight: int, order: random.Random) -> None:
        self._engine, self._slots, self._order = engine, asyncio.Semaphore(in_flight), order

    async def remote(self, request: GenerationRequest) -> Generation:
        async with self._slots:
            for _ in range(self._order.randrange(6)):
                await asyncio.sleep(0)
            return await self._engine.generate(request)


class LocalScorer:
    """A scorer pool in this process."""

    def __init__(self, role: str, order: random.Random) -> None:
        self._model, self._order = FakeIfdModel(role), order

    async def score(self, messages: Conversation) -> tuple[Score, float]:
        for _ in range(self._order.randrange(3)):
            await asyncio.sleep(0)
        return self._model.score([ScoreRow(messages)])[0], 0.0


class Remote:
    """An actor in this process: `actor.method.remote(...)` runs at once."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    def __getattr__(self, name: str) -> Any:
        method: Callable[..., Coroutine[Any, Any, Any]] = getattr(self._actor, name)

        class Method:
            remote = staticmethod(lambda *arguments: asyncio.ensure_future(method(*arguments)))

        return Method


async def run_once(
    config: Config, in_flight: int = 16, order: int = 0, stop_after: int | None = None
) -> None:
    """Run, or resume, until the end or until some seeds are committed."""
    shuffle = random.Random(order)
    run = RunDirectory(config.output.dir)
    run.create(config, resumes=run.state() is not None)
    pools = {name: Shuffled(FakeEngine(model), in_flight, shuffle) for name, model in config.models.items()}
    memory = MemoryActor(config.memory, str(run.memory), "", run.name)
    coordinator = Coordinator(
        config,
        SeedFile(config.seeds).scan(),
        GeneratorClient(pools, dict.fromkeys(pools, 64), attempts=3),
        LocalScorer("target", shuffle),  # type: ignore[arg-type]
        LocalScorer("larger", shuffle),  # type: ignore[arg-type]
        True,
        Remote(memory),
        {"engines": dict.fromkeys(pools, "fake")},
    )
    running = asyncio.ensure_future(coordinator.run())
    while stop_after is not None and not running.done():
        if coordinator.progress.seeds >= stop_after:
            await coordinator.drain()
            break
        await asyncio.sleep(0)
    await running
    await memory.close()


def config_for(folder: Path, *overrides: str) -> Config:
    return load_config(FAKE, [f"output.dir={folder}", "seeds.limit=40", "memory.warmup=0", *overrides])


def rows(folder: Path) -> list[dict[str, Any]]:
    """All candidates without what a clock measured."""
    shards = RunDirectory(folder).shards()
    found = [row for shard in shards for row in pq.read_table(shard).to_pylist()]
    return [{name: value for name, value in row.items() if name not in TIMING} for row in found]


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "reference"
    asyncio.run(run_once(config_for(folder)))
    return folder


@pytest.mark.parametrize(("in_flight", "order"), [(1, 1), (4, 2), (16, 3), (16, 4)])
async def test_draws_and_dataset_do_not_depend_on_who_answers_first(
    reference: Path, tmp_path: Path, in_flight: int, order: int
) -> None:
    await run_once(config_for(tmp_path / "run"), in_flight, order)
    assert len(rows(reference)) > 100
    assert any(row["neighbours"] for row in rows(reference))
    assert rows(tmp_path / "run") == rows(reference)
    datasets = [(folder / "dataset.jsonl").read_bytes() for folder in (tmp_path / "run", reference)]
    assert datasets[0] == datasets[1]


@pytest.mark.parametrize("stop_after", [1, 9, 23])
async def test_a_drained_run_goes_on_as_if_it_had_never_stopped(
    reference: Path, tmp_path: Path, stop_after: int
) -> None:
    config = config_for(tmp_path / "run")
    await run_once(config, in_flight=4, order=5, stop_after=stop_after)
    assert 0 < len(rows(tmp_path / "run")) < len(rows(reference))
    await run_once(config, in_flight=16, order=6)
    assert rows(tmp_path / "run") == rows(reference)
