"""Throughput of vLLM inside the pipeline, compared with vLLM alone on the same prompts and settings.

Baseline: AsyncLLM in its own process, with all prompts sent at the same time. Ours: the same engine behind
Ray Serve, the same prompts sent by the coordinator's client. Greedy, so that both generate the same tokens.
The batch runs several times and the median counts, because the first round still warms up caches.

    python benchmarks/generation.py [--prompts 64] [--tokens 96] [--rounds 3]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

import ray

from actors.engines.vllm_engine import VllmEngine
from actors.engines.vllm_environment import vllm_environment
from actors.generator_client import GeneratorClient, handle
from cluster.pools.generators import running_generators
from cluster.session.demand import demand_of
from cluster.session.ray_session import ray_session
from staragents.base.generation import GenerationRequest, Sampling
from staragents.base.messages import Message
from staragents.config import Config, SeedsConfig
from staragents.data.seed_file import SeedFile
from staragents.models.model_names import resolve_model
from staragents.validation.loading import load_config

ROOT = Path(__file__).parents[1]


def requests(count: int, tokens: int) -> list[GenerationRequest]:
    """The instructions of the bundled seeds, as chats."""
    seeds = SeedFile(SeedsConfig(path="bundled:self-instruct", limit=count)).seeds()
    sampling = Sampling(temperature=0.0, max_tokens=tokens)
    return [
        GenerationRequest(seed.seed_id, sampling, seed=0, messages=(Message("user", seed.instruction),))
        for seed in seeds
    ]


async def timed(generate: Any, batch: list[GenerationRequest], rounds: int) -> tuple[list[float], int]:
    """Generated tokens per second of each round, and the tokens per round."""
    speeds = []
    for _ in range(rounds):
        started = time.perf_counter()
        answers = await asyncio.gather(*(generate(request) for request in batch))
        tokens = sum(answer.tokens_out for answer in answers)
        speeds.append(tokens / (time.perf_counter() - started))
    return speeds, tokens


def direct(config: Config, name: str, batch: list[GenerationRequest], rounds: int, answer: Any) -> None:
    """The baseline, in a child process with the environment of the actor."""
    model = config.models[name]
    path = resolve_model(model.model)
    os.environ.update(vllm_environment(model, Path(path).is_dir()))

    async def go() -> tuple[list[float], int]:
        engine = VllmEngine(model, path)
        await engine.start()
        try:
            return await timed(engine.generate, batch, rounds)
        finally:
            await engine.stop()

    answer.put(asyncio.run(go()))


class Client:
    """The coordinator's client in an actor, without the rest of the coordinator."""

    def __init__(self, config: Config, apps: dict[str, str]) -> None:
        handles = {name: handle(app) for name, app in apps.items()}
        limits = {name: model.max_ongoing for name, model in config.models.items()}
        self._client = GeneratorClient(handles, limits, attempts=1)

    async def timed(self, name: str, batch: list[GenerationRequest], rounds: int) -> tuple[list[float], int]:
        return await timed(lambda request: self._client.generate(name, request), batch, rounds)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", default=str(ROOT / "configs/demo.yaml"))
    parser.add_argument("--prompts", type=int, default=64)
    parser.add_argument("--tokens", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    config = load_config(arguments.config, [])
    name = next(iter(config.models))
    batch = requests(arguments.prompts, arguments.tokens)

    context = get_context("spawn")
    queue = context.Queue()
    child = context.Process(target=direct, args=(config, name, batch, arguments.rounds, queue))
    child.start()
    baseline, tokens = queue.get()
    child.join()

    with ray_session(demand_of(config)), running_generators(config, "benchmark") as generators:
        client = ray.remote(Client).options(num_cpus=0).remote(config, generators)
        ours, ours_tokens = ray.get(client.timed.remote(name, batch, arguments.rounds))
    print(f"{config.models[name].model}, {len(batch)} prompts, {os.cpu_count()} CPUs, tokens/s of each round")
    print(f"vLLM directly (baseline): {_row(baseline)}  ({tokens} tokens)")
    ratio = median(ours) / median(baseline)
    print(f"inside the pipeline:      {_row(ours)}  ({ours_tokens} tokens), ratio of medians {ratio:.2f}")


def _row(speeds: list[float]) -> str:
    return " ".join(f"{speed:7.1f}" for speed in speeds)


if __name__ == "__main__":
    main()
