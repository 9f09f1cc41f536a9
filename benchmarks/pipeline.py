"""Candidates per second through the whole Ray pipeline, with fake engines of zero latency.

Baseline: the same seeds through the same code in one process, without Ray, files or memory bank. The ratio is
the cost of distribution.

    python benchmarks/pipeline.py [--seeds 175]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import tempfile
import time
from pathlib import Path

from rich.console import Console

from actors.engines.fake_engine import FakeEngine
from actors.seed_pipeline import SeedPipeline
from cluster.driver.optimise import optimise
from cluster.terminal.watcher import Watcher
from staragents.base.generation import Generation, GenerationRequest
from staragents.base.messages import Conversation
from staragents.config import Config, SeedsConfig
from staragents.data.seed_file import SeedFile
from staragents.evolution.evolution import Evolution
from staragents.evolution.policy import NO_CONTEXT
from staragents.scoring.fake_ifd_model import FakeIfdModel
from staragents.scoring.ifd import Score, ScoreRow
from staragents.validation.loading import load_config

ROOT = Path(__file__).parents[1]


def many_seeds(folder: Path, count: int) -> Path:
    """The bundled seeds repeated, each copy with another number in the instruction."""
    bundled = list(SeedFile(SeedsConfig(path="bundled:self-instruct")).seeds())
    path = folder / "seeds.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            seed = bundled[number % len(bundled)]
            row = {"instruction": f"{seed.instruction} (variant {number})", "output": seed.response}
            file.write(json.dumps(row) + "\n")
    return path


class LocalScorer:
    """A scorer in this process."""

    outstanding = 0
    size = 1

    def __init__(self, role: str) -> None:
        self._model = FakeIfdModel(role)

    async def score(self, messages: Conversation) -> tuple[Score, float]:
        return self._model.score([ScoreRow(messages)])[0], 0.0


async def in_one_process(config: Config) -> float:
    """Candidates per second without Ray."""
    engines = {name: FakeEngine(model) for name, model in config.models.items()}

    async def generate(model: str, request: GenerationRequest) -> Generation:
        return await engines[model].generate(request)

    pipeline = SeedPipeline(config, generate, LocalScorer("target"), LocalScorer("larger"), True)
    seeds = list(SeedFile(config.seeds).seeds())
    evolution = Evolution(config, config.pairs, total_seeds=len(seeds))
    started, count = time.perf_counter(), 0
    for seed in seeds:
        candidates = await pipeline.run(seed, evolution.draw(seed.seed_id, NO_CONTEXT), NO_CONTEXT)
        evolution.commit(candidates)
        count += len(candidates)
    return count / (time.perf_counter() - started)


def through_ray_config(folder: str, seeds: Path, *overrides: str) -> Config:
    """Fake engines of zero latency, one replica each, and enough seeds in flight to keep two cores busy."""
    fixed = [
        f"seeds.path={seeds}",
        "seeds.limit=null",
        "run.admitted_seeds=48",
        "models.writer.max_replicas=1",
        "models.writer.fake.latency_s=0",
        f"output.dir={folder}",
    ]
    return load_config(str(ROOT / "configs/fake.yaml"), [*fixed, *overrides])


def through_ray(config: Config) -> tuple[float, float]:
    """Candidates per second of the loop alone, and including start, stop and report."""
    started = time.perf_counter()
    summary = optimise(config, Watcher(Console(quiet=True), quiet=True)).summary
    drawn = summary["funnel"]["drawn"]
    return drawn / summary["run"]["loop_seconds"], drawn / (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=700)
    parser.add_argument("--memory", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("overrides", nargs="*", help="more settings, such as run.admitted_seeds=64")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        config = through_ray_config(
            f"{folder}/run",
            many_seeds(Path(folder), arguments.seeds),
            "run.checkpoint_s=5",
            f"memory.enabled={str(arguments.memory).lower()}",
            *arguments.overrides,
        )
        local = asyncio.run(in_one_process(config))
        rate, whole = through_ray(config)
    print(f"machine: {platform.processor() or platform.machine()}, fake engines, {arguments.seeds} seeds")
    print(f"one process, no Ray (baseline): {local:8.0f} candidates/s")
    print(f"through Ray, the loop:          {rate:8.0f} candidates/s  ({rate / local:.2f} of the baseline)")
    print(f"through Ray, start to report:   {whole:8.0f} candidates/s")


if __name__ == "__main__":
    main()
