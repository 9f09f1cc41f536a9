"""What a run on many GPUs and with many seeds needs of everything that is not a model.

    python benchmarks/scale_out.py gpus --gpus 16 128 1024   # slots busy, candidates/s, size of the state
    python benchmarks/scale_out.py bytes                     # bytes between processes for each candidate
    python benchmarks/scale_out.py resume --seeds 100000 1000000

`gpus` runs the real coordinator without Ray in virtual time, with simulated models: a GPU answers `--slots`
requests at a time, each in a lognormal time with mean `--mean-s`; a candidate is a rewrite, an answer and two
verdicts. The CPU time that the control plane needs for a candidate comes from `scale.py ray`, because
processes, Serve and messages are not simulated. `resume` times what a command does before the first seed of a
run in which all seeds but one are committed: reading seeds twice and the state once, in CPU seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
import time
from collections.abc import Sequence
from typing import Any

import virtual_time
from pipeline import LocalScorer
from scale import Finished, in_a_process, make, settings

from actors.engines.fake_engine import FakeEngine
from actors.request_messages import pack_answers, pack_requests
from actors.scorer import pack_rows, pack_scores
from actors.seed_messages import pack_finished, pack_work
from actors.seed_pipeline import SeedPipeline
from staragents.base.generation import Generation, GenerationRequest
from staragents.base.messages import Conversation
from staragents.base.records import Candidate, Seed
from staragents.config import Config
from staragents.data.seed_file import SeedFile
from staragents.evolution.evolution import Evolution
from staragents.evolution.policy import NO_CONTEXT, Draw, DrawContext
from staragents.run_directory.run_directory import RunDirectory
from staragents.run_directory.run_state import ROWS_PER_SHARD, first_state

REQUESTS = 4
"""Of a candidate: rewrite, answer, and the verdict in both orders; none keeps its instruction here."""
SCORING_S = 1.0
SAMPLE_S = 0.5
BYTES_SEEDS = 100


class Simulated:
    """Takes the time of real models, and returns candidates with scores that depend on their ids."""

    def __init__(self, config: Config, slots: int, mean_s: float, spread: float) -> None:
        self._finished = Finished(config, None, None, None, True)  # type: ignore[arg-type]
        self._slots = asyncio.Semaphore(slots)
        self._random, self._mean_s, self._spread = random.Random(0), mean_s, spread
        self.running = self.answered = 0

    async def run(self, seed: Seed, draws: Sequence[Draw], context: DrawContext) -> list[Candidate]:
        await asyncio.gather(*(self._candidate() for _ in draws))
        return await self._finished.run(seed, draws, context)

    async def _candidate(self) -> None:
        await self._request()
        await self._request()
        await asyncio.gather(self._request(), self._request())
        await asyncio.sleep(SCORING_S)

    async def _request(self) -> None:
        async with self._slots:
            self.running += 1
            # The mean of exp(N(0, spread)) is exp(spread^2 / 2).
            await asyncio.sleep(
                self._mean_s * self._random.lognormvariate(-(self._spread**2) / 2, self._spread)
            )
            self.running -= 1
            self.answered += 1


async def simulated(config: Config, slots: int, mean_s: float, spread: float) -> tuple[float, float]:
    """Mean share of busy slots, and candidates per virtual second, between a third and two thirds of the
    run."""
    coordinator = make(config, {})
    models = Simulated(config, slots, mean_s, spread)
    coordinator.worker.run = models.run  # type: ignore[method-assign]
    loop = asyncio.get_running_loop()
    running = asyncio.ensure_future(coordinator.run())
    busy, seen = [], []
    while not running.done():
        await asyncio.sleep(SAMPLE_S)
        if 1 / 3 <= coordinator.progress.seeds / coordinator.progress.total_seeds <= 2 / 3:
            busy.append(models.running / slots)
            seen.append((loop.time(), models.answered / REQUESTS))
    await running
    (first, before), (last, after) = seen[0], seen[-1]
    return sum(busy) / len(busy), (after - before) / (last - first)


def gpus(
    numbers: list[int], slots: int, admitted_each: float, seeds_each: int, mean_s: float, spread: float
) -> None:
    print(f"{'GPUs':>6}{'slots':>8}{'admitted':>10}{'busy':>7}{'candidates/s':>14}{'state':>10}{'save':>9}")
    for number in numbers:
        admitted = max(1, round(admitted_each * slots * number))
        with tempfile.TemporaryDirectory() as folder:
            config = settings(folder, seeds_each * admitted, f"run.admitted_seeds={admitted}")
            busy, rate = virtual_time.run(simulated(config, slots * number, mean_s, spread))
            run = RunDirectory(config.output.dir)
            state = run.state()
            assert state is not None
            # The last checkpoint has no seeds in flight, others have as many as are admitted.
            size, seconds = _with_pending(run, state, config, admitted)
        print(
            f"{number:6d}{slots * number:8d}{admitted:10d}{busy:7.1%}{rate:14.1f}{size / 1e6:7.2f} MB"
            f"{seconds:7.2f} s",
            flush=True,
        )


def _with_pending(run: RunDirectory, state: Any, config: Config, admitted: int) -> tuple[int, float]:
    """Bytes of the state with `admitted` seeds in flight, and CPU seconds to write it."""
    draws = [[pair, 0.123456789] for pair in list(config.pairs)[: 1 + config.evolution.draws]]
    one = {"seed_id": "0123456789abcdef", "draws": draws, **NO_CONTEXT.state()}
    return _written(run, {**state, "pending": [one] * admitted})


def _written(run: RunDirectory, state: Any) -> tuple[int, float]:
    started = time.process_time()
    run.write_state(state)
    return (run.path / "run_state.json").stat().st_size, time.process_time() - started


def message_bytes() -> None:
    """Bytes of each kind of message for a candidate, with the bundled seeds and fake answers."""
    with tempfile.TemporaryDirectory() as folder:
        config = settings(folder, BYTES_SEEDS)
        found, candidates = asyncio.run(_messages(config))
        characters = sum(len(text) for one in candidates for turn in one.messages for text in turn.texts)
        shard = RunDirectory(config.output.dir)
        shard.candidates.mkdir(parents=True)
        found["candidates/ on disk"] = shard.write_shard("part-000000.parquet", candidates)["bytes"]
    number = len(candidates)
    print(f"{number} candidates of {characters / number:.0f} characters on average")
    for name, size in found.items():
        print(f"{name:<44}{size / number:8.0f} bytes a candidate")


async def _messages(config: Config) -> tuple[dict[str, int], list[Candidate]]:
    engines = {name: FakeEngine(model) for name, model in config.models.items()}
    found = dict.fromkeys(
        ("requests to models", "answers of models", "rows to scorers", "scores", "seeds to workers"), 0
    )

    async def generate(model: str, request: GenerationRequest) -> Generation:
        answer = await engines[model].generate(request)
        found["requests to models"] += len(pack_requests([request]))
        found["answers of models"] += len(pack_answers([(0, answer)]))
        return answer

    class CountingScorer(LocalScorer):
        async def score(self, messages: Conversation) -> Any:
            scored = await super().score(messages)
            found["rows to scorers"] += len(pack_rows([messages]))
            found["scores"] += len(pack_scores([scored[0]]))
            return scored

    pipeline = SeedPipeline(config, generate, CountingScorer("target"), CountingScorer("larger"), True)
    evolution = Evolution(config, config.pairs, total_seeds=BYTES_SEEDS)
    candidates: list[Candidate] = []
    finished = 0
    for seed in SeedFile(config.seeds).seeds():
        draws = evolution.draw(seed.seed_id, NO_CONTEXT)
        found["seeds to workers"] += len(pack_work([(seed, draws, NO_CONTEXT)]))
        some = await pipeline.run(seed, draws, NO_CONTEXT)
        finished += len(pack_finished([(0, some)]))
        evolution.commit(some)
        candidates += some
    return {**found, "finished candidates to the coordinator": finished}, candidates


def resume(sizes: list[int], rows_per_shard: int) -> None:
    print(f"{'seeds':>10}{'scan':>9}{'skip':>9}{'state':>10}{'read':>9}{'write':>9}   in CPU seconds")
    for seeds in sizes:
        scan, skip, size, read, write = in_a_process(_resumed, seeds, rows_per_shard)
        print(f"{seeds:10d}{scan:9.1f}{skip:9.1f}{size / 1e6:7.2f} MB{read:9.2f}{write:9.2f}", flush=True)


def _resumed(seeds: int, rows_per_shard: int) -> tuple[float, float, int, float, float]:
    with tempfile.TemporaryDirectory() as folder:
        config = settings(folder, seeds)
        started = time.process_time()
        scan = SeedFile(config.seeds).scan()
        scanned = time.process_time() - started
        started = time.process_time()
        next(SeedFile(config.seeds).seeds(start=seeds - 1))
        skipped = time.process_time() - started
        run = RunDirectory(config.output.dir)
        run.create(config, scan)
        each = 1 + config.evolution.draws
        shard = {"rows": rows_per_shard, "bytes": 300_000, "sha256": "0" * 64}
        shards = [
            {"name": f"part-{index:06d}.parquet", **shard} for index in range(seeds * each // rows_per_shard)
        ]
        size, write = _written(run, {**first_state(config, scan), "cursor": seeds - 1, "shards": shards})
        started = time.process_time()
        run.state()
        return scanned, skipped, size, time.process_time() - started, write


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = parser.add_subparsers(dest="part", required=True)
    many = parts.add_parser("gpus")
    many.add_argument("--gpus", type=int, nargs="+", default=[16, 128, 1024])
    many.add_argument("--slots", type=int, default=64, help="requests that one GPU answers at a time")
    many.add_argument("--admitted", type=float, default=1.0, help="run.admitted_seeds for each slot")
    many.add_argument("--seeds", type=int, default=4, help="seeds of the run for each admitted one")
    many.add_argument("--mean-s", type=float, default=5.0, help="mean seconds of a request")
    many.add_argument("--spread", type=float, default=0.5, help="standard deviation of the logarithm")
    parts.add_parser("bytes")
    long = parts.add_parser("resume")
    long.add_argument("--seeds", type=int, nargs="+", default=[100_000, 1_000_000])
    long.add_argument("--rows-per-shard", type=int, default=ROWS_PER_SHARD)
    arguments = parser.parse_args()
    if arguments.part == "gpus":
        chosen = arguments.slots, arguments.admitted, arguments.seeds, arguments.mean_s, arguments.spread
        gpus(arguments.gpus, *chosen)
    elif arguments.part == "bytes":
        message_bytes()
    else:
        resume(arguments.seeds, arguments.rows_per_shard)


if __name__ == "__main__":
    main()
