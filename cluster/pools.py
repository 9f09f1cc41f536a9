"""Start and stop what a run consists of: generators, scorers, memory, coordinator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from actors.coordinator import Coordinator
from actors.generator_client import GeneratorClient
from actors.memory import MemoryActor
from actors.scorer import Scorer, scorer_environment
from actors.scorer_pool import ScorerPool
from cluster.generators import handle, quietly, running_generators
from staragents.config import Config, ScorerModelConfig
from staragents.errors import RunFailed
from staragents.packaged_models import resolve_model
from staragents.run_directory import RunDirectory
from staragents.seeds.seed_file import SeedScan

COORDINATOR_RESTARTS = 3
CLOSE_S = 10.0


@dataclass(frozen=True, slots=True)
class Pools:
    """Names of everything a coordinator works with: a restarted one finds it again (ray#53727)."""

    run_name: str
    generators: dict[str, str]
    target: list[str]
    larger: list[str]
    same_tokenizer: bool
    memory: str | None


class CoordinatorActor(Coordinator):
    """A Coordinator made from names, so that Ray can restart it from its arguments."""

    def __init__(self, config: Config, scan: SeedScan, pools: Pools, facts: dict[str, Any]) -> None:
        run = config.run
        # Some four characters a token, and every answer is scored twice: with its prompt and without.
        pack = 2 * config.scoring.batch_tokens
        windows = {name: m.max_replicas * m.max_ongoing for name, m in config.models.items()}
        super().__init__(
            config,
            scan,
            GeneratorClient({n: handle(app) for n, app in pools.generators.items()}, windows, run.attempts),
            ScorerPool([ray.get_actor(n) for n in pools.target], pack, run.attempts, run.deadline_s),
            ScorerPool([ray.get_actor(n) for n in pools.larger], pack, run.attempts, run.deadline_s),
            pools.same_tokenizer,
            ray.get_actor(pools.memory) if pools.memory else None,
            facts,
        )


@contextmanager
def running_pools(config: Config, run_name: str) -> Iterator[Pools]:
    """Load every model at once and wait for all; on leaving, whatever happened, remove all of it.

    Raises RunFailed with the first reason if one does not come up.
    """
    scorers: dict[str, list[str]] = {
        role: [f"scorer-{role}-{index}-{run_name}" for index in range(getattr(config.scoring, role).replicas)]
        for role in ("target", "larger")
    }
    memory = f"memory-{run_name}" if config.memory.enabled else None
    actors: dict[str, Any] = {}
    try:
        for role, names in scorers.items():
            for name in names:
                actors[name] = _scorer(config, role, name)
        if memory:
            actors[memory] = _memory(config, run_name, memory)
        starting = {name: actor.start.remote() for name, actor in actors.items()}
        with running_generators(config, run_name) as generators:
            started = dict(zip(starting, _wait(list(starting.values())), strict=True))
            tokenizers = {started[name]["tokenizer"] for names in scorers.values() for name in names}
            yield Pools(
                run_name, generators, scorers["target"], scorers["larger"], len(tokenizers) == 1, memory
            )
    finally:
        if memory in actors:
            quietly(lambda: ray.get(actors[memory].close.remote(), timeout=CLOSE_S))
        for actor in actors.values():
            quietly(ray.kill, actor)


def start_coordinator(config: Config, scan: SeedScan, pools: Pools, facts: dict[str, Any]) -> Any:
    """The named actor of the run; not detached, so that it goes when the driver goes."""
    return (
        ray.remote(CoordinatorActor)
        .options(
            name=f"staragents-{pools.run_name}",
            num_cpus=0,
            max_restarts=COORDINATOR_RESTARTS,
            # Its loop only waits: a thread of its own for Serve's router would cost a hop per request.
            runtime_env={"env_vars": {"RAY_SERVE_RUN_ROUTER_IN_SEPARATE_LOOP": "0"}},
            # Relative paths in a config are the driver's, so the coordinator should be beside it.
            scheduling_strategy=NodeAffinitySchedulingStrategy(
                ray.get_runtime_context().get_node_id(), soft=True
            ),
        )
        .remote(config, scan, pools, facts)
    )


def _scorer(config: Config, role: str, name: str) -> Any:
    model: ScorerModelConfig = getattr(config.scoring, role)
    fake = model.model == "fake"
    return (
        ray.remote(Scorer)
        .options(
            name=name,
            num_cpus=0 if fake else model.num_cpus,
            num_gpus=model.num_gpus,
            max_restarts=-1,
            runtime_env={"env_vars": scorer_environment(model)},
        )
        .remote(role, model, config.scoring, "" if fake else resolve_model(model.model))
    )


def _memory(config: Config, run_name: str, name: str) -> Any:
    memory = config.memory
    model = "" if memory.embedder == "fake" else resolve_model(memory.embedder)
    folder = None if memory.url else str(RunDirectory(config.output.dir).memory.absolute())
    return (
        ray.remote(MemoryActor)
        .options(name=name, num_cpus=0, max_restarts=-1)
        .remote(memory, folder, model, run_name, config.pairs)
    )


def _wait(starting: list[Any]) -> list[dict[str, Any]]:
    try:
        return ray.get(starting)
    except RayError as error:
        cause = getattr(error, "cause", None) or error
        raise RunFailed(f"an actor did not start: {str(cause).strip().splitlines()[-1]}") from error
