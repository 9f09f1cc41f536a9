"""The capacity of one coordinator.

    python benchmarks/scale.py loop --seeds 10000 100000      # candidates/s, memory; baseline: the first size
    python benchmarks/scale.py slots --admitted 128 256 512   # share of busy slots; the limit is 1
    python benchmarks/scale.py ray --workers 0 2              # CPU of the coordinator; baseline: no workers

`loop` gives finished candidates to the coordinator immediately, which leaves admission, draws, rewards,
learning, shards and checkpoints. `slots` gives every generation a lognormal duration, like 4 replicas of 64
requests each that write and judge, and measures how many of the 256 slots are busy in the middle half of the
run. Both run the real loop without Ray, `loop` in a fresh process each. `ray` runs fake engines through Ray:
the CPU time of the coordinator's process per candidate gives the limit of one coordinator, for any number of
engines.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import psutil
from coordinator_cpu import CoordinatorCpu
from pipeline import LocalScorer, many_seeds

from actors import coordinator as coordinator_module
from actors.coordinator import Coordinator
from actors.engines.fake_engine import FakeEngine
from actors.generator_client import GeneratorClient
from actors.seed_pipeline import SeedPipeline
from actors.seed_worker import SeedWorker
from cluster.driver.optimise import optimise
from staragents.base.generation import Generation, GenerationRequest
from staragents.base.records import Candidate, Seed
from staragents.config import Config, SeedsConfig
from staragents.data.seed_file import SeedFile
from staragents.data.seed_scan import SeedScan
from staragents.evolution.policy import Draw, DrawContext
from staragents.run_directory.run_directory import RunDirectory
from staragents.validation.loading import load_config

T = TypeVar("T")

ROOT = Path(__file__).parents[1]
SLOTS = 4 * 64
SAMPLE_S = 0.1


class Finished(SeedPipeline):
    """Returns candidates immediately, with scores that depend on their ids."""

    async def run(self, seed: Seed, draws: Sequence[Draw], context: DrawContext) -> list[Candidate]:
        candidates = [self._candidate(seed, drawn, context) for drawn in draws]
        for candidate in candidates:
            share = int(candidate.candidate_id[:6], 16) / 0xFFFFFF
            candidate.messages = seed.messages
            candidate.target_ifd, candidate.larger_ifd, candidate.ifd_gap = (
                0.5 + 0.3 * share,
                0.4,
                0.1 + 0.3 * share,
            )
            candidate.judge_win, candidate.judge_agreement = share, True
        return candidates


class Slow:
    """A pool of `SLOTS` slots whose requests take a lognormal time."""

    def __init__(self, engine: FakeEngine, mean_s: float, spread: float) -> None:
        self._engine, self._slots, self._random = engine, asyncio.Semaphore(SLOTS), random.Random(0)
        self._mean_s, self._spread = mean_s, spread
        self.running = 0

    async def remote(self, request: GenerationRequest) -> Generation:
        async with self._slots:
            self.running += 1
            # The mean of exp(N(0, spread)) is exp(spread^2 / 2).
            await asyncio.sleep(
                self._mean_s * self._random.lognormvariate(-(self._spread**2) / 2, self._spread)
            )
            self.running -= 1
            return await self._engine.generate(request)


def settings(folder: str, seeds: int, *overrides: str) -> Config:
    path = many_seeds(Path(folder), seeds)
    fixed = [f"output.dir={folder}/run", f"seeds.path={path}", "seeds.limit=null", "memory.enabled=false"]
    return load_config(str(ROOT / "configs/fake.yaml"), [*fixed, *overrides])


def make(config: Config, pools: dict[str, Any]) -> Coordinator:
    # Measure only the loop: the report would read all shards again at the end.
    coordinator_module.write_results = lambda *_: {}  # type: ignore[assignment]
    client = GeneratorClient(pools, dict.fromkeys(pools, 2 * SLOTS), attempts=3)
    scorers: list[Any] = [LocalScorer("target"), LocalScorer("larger")]
    worker = SeedWorker(config, client, *scorers, True)
    # As in a run, where the driver scans the seeds before it starts the coordinator.
    scan = in_a_process(scanned, config.seeds)
    run = RunDirectory(config.output.dir)
    run.create(config, scan)
    return Coordinator(config, scan, worker, None, {}, session="")


def scanned(seeds: SeedsConfig) -> SeedScan:
    return SeedFile(seeds).scan()


def in_a_process(work: Callable[..., T], *arguments: Any) -> T:
    with ProcessPoolExecutor(1, get_context("spawn")) as fresh:
        return fresh.submit(work, *arguments).result()


def rate_and_memory(seeds: int) -> tuple[float, float]:
    """Candidates per second of one coordinator, and MiB of its process at the end."""
    with tempfile.TemporaryDirectory() as folder:
        config = settings(folder, seeds, "run.admitted_seeds=48")
        coordinator = make(config, {})
        coordinator.worker.run = Finished(config, None, None, None, True).run  # type: ignore
        started = time.perf_counter()
        asyncio.run(coordinator.run())
        rate = coordinator.progress.drawn / (time.perf_counter() - started)
    return rate, psutil.Process().memory_info().rss / 2**20


def loop(sizes: list[int]) -> None:
    first = 0.0
    for seeds in sizes:
        rate, memory = in_a_process(rate_and_memory, seeds)
        first = first or memory
        grown = memory / first
        print(f"{seeds:8d} seeds: {rate:6.0f} candidates/s, {memory:.0f} MiB ({grown:.2f} of the first)")


async def busy_share(config: Config, mean_s: float, spread: float) -> float:
    """Mean share of busy slots while 1/4 to 3/4 of the seeds are committed."""
    pool = Slow(FakeEngine(config.models["writer"]), mean_s, spread)
    coordinator = make(config, {"writer": pool})
    running = asyncio.ensure_future(coordinator.run())
    samples = []
    while not running.done():
        await asyncio.sleep(SAMPLE_S)
        if 0.25 <= coordinator.progress.seeds / coordinator.progress.total_seeds <= 0.75:
            samples.append(pool.running / SLOTS)
    await running
    return sum(samples) / len(samples)


def slots(admitted: list[int], seeds: int, mean_s: float, spread: float) -> None:
    for number in admitted:
        with tempfile.TemporaryDirectory() as folder:
            config = settings(folder, seeds, f"run.admitted_seeds={number}", "judge.model=writer")
            share = asyncio.run(busy_share(config, mean_s, spread))
        print(f"run.admitted_seeds={number}: {100 * share:.1f} % of {SLOTS} slots busy")


def through_ray(workers: list[int], seeds: int) -> None:
    first = 0.0
    for number in workers:
        with tempfile.TemporaryDirectory() as folder:
            config = settings(
                folder,
                seeds,
                f"run.workers={number}",
                "run.admitted_seeds=64",
                "models.writer.fake.latency_s=0",
            )
            used = CoordinatorCpu()
            summary = optimise(config, used).summary
        each = used.seconds_each
        first = first or each
        rate = summary["funnel"]["drawn"] / summary["run"]["loop_seconds"]
        print(
            f"{number:2d} workers: {rate:5.0f} candidates/s here; {1e3 * each:.2f} ms of the coordinator's "
            f"CPU each ({each / first:.2f} of the first): limit {1 / each:.0f} candidates/s",
            flush=True,
        )
        for kind, seconds in used.by_kind().items():
            print(f"{'':12}{kind:<26}{1e3 * seconds:6.2f} ms of CPU a candidate", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = parser.add_subparsers(dest="part", required=True)
    sizes = parts.add_parser("loop")
    sizes.add_argument("--seeds", type=int, nargs="+", default=[10_000, 100_000])
    busy = parts.add_parser("slots")
    busy.add_argument("--admitted", type=int, nargs="+", default=[128, 256, 512])
    busy.add_argument("--seeds", type=int, default=1500)
    busy.add_argument("--mean-s", type=float, default=5.0)
    busy.add_argument("--spread", type=float, default=0.5, help="standard deviation of the logarithm")
    ray = parts.add_parser("ray")
    ray.add_argument("--workers", type=int, nargs="+", default=[0, 2])
    ray.add_argument("--seeds", type=int, default=700)
    arguments = parser.parse_args()
    if arguments.part == "loop":
        loop(arguments.seeds)
    elif arguments.part == "ray":
        through_ray(arguments.workers, arguments.seeds)
    else:
        slots(arguments.admitted, arguments.seeds, arguments.mean_s, arguments.spread)


if __name__ == "__main__":
    main()
