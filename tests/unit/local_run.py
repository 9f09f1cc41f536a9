"""A whole run in this process, without Ray: the real coordinator, pipeline and fake engines."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from actors.coordinator import Coordinator
from actors.generator import Generator, Refusal
from actors.generator_client import GeneratorClient
from staragents.config import Config
from staragents.generation import Generation, GenerationRequest
from staragents.messages import Conversation
from staragents.run_directory import RunDirectory
from staragents.scoring.fake_ifd_model import FakeIfdModel
from staragents.scoring.ifd import Score, ScoreRow
from staragents.seeds.seed_file import SeedFile


class LocalHandle:
    """A model pool of one replica in this process."""

    def __init__(self, generator: Generator) -> None:
        self._generator = generator
        self.requests = 0

    async def remote(self, request: GenerationRequest) -> Generation | Refusal:
        self.requests += 1
        return await self._generator.generate(request)


class LocalScorer:
    def __init__(self, role: str) -> None:
        self._model = FakeIfdModel(role)

    async def score(self, messages: Conversation) -> tuple[Score, float]:
        return self._model.score([ScoreRow(messages)])[0], 0.0


async def local_handles(config: Config) -> dict[str, LocalHandle]:
    handles = {}
    for name, model in config.models.items():
        generator = Generator(model, "")
        await generator.start()
        handles[name] = LocalHandle(generator)
    return handles


async def local_run(
    config: Config,
    before: Callable[[Coordinator], Any] = lambda coordinator: None,
    handles: dict[str, LocalHandle] | None = None,
    **client: Any,
) -> dict[str, Any]:
    """Run or resume `config`, whose memory must be off; returns the summary. `before` may change things."""
    assert not config.memory.enabled
    scan = SeedFile(config.seeds).scan()
    run = RunDirectory(config.output.dir)
    run.create(config, run.check(config))
    handles = handles or await local_handles(config)
    windows = {name: model.max_ongoing for name, model in config.models.items()}
    coordinator = Coordinator(
        config,
        scan,
        GeneratorClient(handles, windows, config.run.attempts, **client),
        LocalScorer("target"),  # type: ignore[arg-type]
        LocalScorer("larger"),  # type: ignore[arg-type]
        True,
        None,
        {"engines": {name: model.kind.value for name, model in config.models.items()}},
    )
    before(coordinator)
    return await coordinator.run()


def decided(run_dir: str | Path) -> list[dict[str, Any]]:
    """All candidates without what a clock measured."""
    timing = ("seconds", "stage_seconds")
    return [
        {name: getattr(c, name) for name in c.__slots__ if name not in timing}
        for seed in RunDirectory(run_dir).seeds()
        for c in seed
    ]


def state(run_dir: str | Path) -> dict[str, Any]:
    return json.loads((Path(run_dir) / "state.json").read_text())
