"""Start and stop the parts of a run: generators, scorers, memory, coordinator."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from actors.actor_names import coordinator_name
from actors.clean_up import quietly
from actors.coordinator_actor import CoordinatorActor
from actors.memory import MemoryActor
from actors.seed_worker_actor import SAME_LOOP, Pools
from actors.server_remarks import server_remarks
from actors.starting import start_actor, started
from cluster.pools.generators import running_generators
from cluster.pools.prewarm import nodes_requested
from cluster.pools.scorers import scorer_name, start_scorer
from cluster.session.demand import demand_of
from cluster.terminal.stop_signals import restore_sigterm
from staragents.config import Config
from staragents.data.seed_scan import SeedScan
from staragents.models.model_names import resolve_model
from staragents.run_directory.run_directory import RunDirectory

logger = logging.getLogger(__name__)

CLOSE_S = 10.0


@contextmanager
def running_pools(config: Config, run_name: str) -> Iterator[Pools]:
    """Load all models in parallel and wait for them; always removes them on exit.

    Raises RunFailed with the first reason if one fails to start.
    """
    scorers: dict[str, list[str]] = {
        role: [scorer_name(role, index, run_name) for index in range(getattr(config.scoring, role).replicas)]
        for role in ("target", "larger")
    }
    actors: dict[str, Any] = {}
    nodes = ExitStack()
    restore_sigterm()
    try:
        nodes.enter_context(nodes_requested(demand_of(config)))
        for role, names in scorers.items():
            for name in names:
                actors[name] = start_scorer(config.scoring, role, name)
        starting = [actor.start.remote() for actor in actors.values()]
        with (
            running_memory(config, run_name) as memory,
            running_generators(
                config, run_name, lambda: _check([*starting, *([memory.starting] if memory else [])])
            ) as generators,
        ):
            tokenizers = {facts["tokenizer"] for facts in started(starting)}
            pools = Pools(
                run_name,
                generators,
                scorers["target"],
                scorers["larger"],
                len(tokenizers) == 1,
                memory.ready() if memory else None,
                server_remarks(config, generators),
            )
            nodes.close()
            for role, names in scorers.items():
                model = getattr(config.scoring, role).model
                logger.info("scoring.%s is up: %d x %s", role, len(names), model)
            yield pools
    finally:
        nodes.close()
        for actor in actors.values():
            quietly(ray.kill, actor)


@dataclass(frozen=True, slots=True)
class StartingMemory:
    """A memory bank that loads its embedder while other models load."""

    name: str
    starting: Any

    def ready(self) -> str:
        """Wait until loaded; return its name. Raises RunFailed with the reason if it fails to start."""
        (facts,) = started([self.starting])
        logger.info("memory is up: a %s bank with %d points", facts["bank"], facts["points"])
        return self.name


@contextmanager
def running_memory(config: Config, run_name: str) -> Iterator[StartingMemory | None]:
    """The memory bank of one run, or None if disabled; always removed on exit."""
    if not config.memory.enabled:
        yield None
        return
    name = f"memory-{run_name}"
    # A bank in the run directory was deleted with a discarded run; points on a server were not.
    anew = config.memory.url is not None and not RunDirectory(config.output.dir).shards()
    actor = _memory(config, run_name, name)
    try:
        yield StartingMemory(name, actor.start.remote(anew))
    finally:
        quietly(lambda: ray.get(actor.close.remote(), timeout=CLOSE_S))
        quietly(ray.kill, actor)


def start_coordinator(
    config: Config,
    given: Config,
    scan: SeedScan,
    pools: Pools,
    workers: list[str],
    facts: dict[str, Any],
    session: str,
    cache: Path | None,
) -> Any:
    """Start the run's named actor. `given`: the config of the command, before changes. `session`: the id with
    which the driver holds the run directory. `cache`: a file of generations that runs share."""
    return start_actor(
        CoordinatorActor,
        coordinator_name(pools.run_name),
        *(config, given, scan, pools, workers, facts, session, cache),
        environment=SAME_LOOP,
        num_cpus=0,
        scheduling_strategy=_on_driver_node(),
    )


def _memory(config: Config, run_name: str, name: str) -> Any:
    memory = config.memory
    model = "" if memory.embedder == "fake" else resolve_model(memory.embedder)
    folder = None if memory.url else str(RunDirectory(config.output.dir).memory.absolute())
    return start_actor(
        MemoryActor,
        name,
        *(memory, folder, model, run_name, config.pairs, config.reward.cost),
        num_cpus=0,
        scheduling_strategy=_on_driver_node() if folder else "DEFAULT",
    )


def _on_driver_node() -> NodeAffinitySchedulingStrategy:
    """Pin to the driver's node, because the run directory is a path there. `soft=True` would not pin actors
    that request no resources (ray 2.60). They end with the driver, so they need no other node."""
    return NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)


def _check(starting: list[Any]) -> None:
    """Raises RunFailed if one of them has already failed."""
    done, _ = ray.wait(starting, num_returns=len(starting), timeout=0, fetch_local=False)
    started(done)
