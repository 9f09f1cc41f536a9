"""The coordinator as the cluster has it: made from names, found by name, with pools that can be resized."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray

from actors.coordinator import Coordinator
from actors.scale_desk import ScaleDesk, ScaleRequest
from actors.scorer_pool import ScorerPool
from cluster.generators import generator_client
from staragents.config import Config
from staragents.seeds.seed_file import SeedScan


@dataclass(frozen=True, slots=True)
class Pools:
    """Names of everything a coordinator works with: a restarted one finds it again (ray#53727)."""

    run_name: str
    generators: dict[str, str]
    target: list[str]
    larger: list[str]
    same_tokenizer: bool
    memory: str | None


def coordinator_name(run_name: str) -> str:
    return f"staragents-{run_name}"


class CoordinatorActor(Coordinator):
    """A Coordinator made from names, so that Ray can restart it from its arguments."""

    def __init__(
        self, config: Config, scan: SeedScan, pools: Pools, facts: dict[str, Any], cache: Path | None
    ) -> None:
        run = config.run
        # Some four characters a token, and every answer is scored twice: with its prompt and without.
        pack = 2 * config.scoring.batch_tokens
        self._replicas = {name: (m.min_replicas, m.max_replicas) for name, m in config.models.items()}
        super().__init__(
            config,
            scan,
            generator_client(config, pools.generators, cache),
            ScorerPool(_found(pools.target), pack, run.attempts, run.deadline_s),
            ScorerPool(_found(pools.larger), pack, run.attempts, run.deadline_s),
            pools.same_tokenizer,
            ray.get_actor(pools.memory) if pools.memory else None,
            facts,
        )
        self._desk = ScaleDesk()

    async def status(self) -> dict[str, Any]:
        """With the size every pool is meant to have."""
        sizes: dict[str, dict[str, int]] = {
            f"models.{name}": {"min": low, "max": high} for name, (low, high) in self._replicas.items()
        }
        sizes |= {f"scoring.{role}": {"min": p.size, "max": p.size} for role, p in self.scorers.items()}
        return {**await super().status(), "pools": sizes}

    # -- for `staragents scale`, in another process ------------------------------------------------------

    async def scale(self, pool: str, low: int, high: int) -> str:
        """Ask the driver for another size; returns why it could not be done, or an empty text."""
        return await self._desk.ask(pool, low, high)

    # -- for the driver, which owns the pools ------------------------------------------------------------

    async def next_scale(self) -> ScaleRequest:
        return await self._desk.next()

    async def scaled(self, number: int, problem: str) -> None:
        self._desk.answer(number, problem)

    async def resize_model(self, name: str, low: int, high: int) -> None:
        """Send a model what `high` replicas can hold."""
        self._replicas[name] = (low, high)
        self.generators.resize(name, high * self.config.models[name].max_ongoing)

    async def add_scorer(self, role: str, name: str) -> None:
        self.scorers[role].add(ray.get_actor(name))

    async def remove_scorer(self, role: str, name: str) -> None:
        """Returns when the scorer has nothing to do any more."""
        await self.scorers[role].remove(ray.get_actor(name))


def _found(names: list[str]) -> list[Any]:
    """The actors that are there: a coordinator that is restarted after a pool was made smaller has arguments
    that name some that are not, and is told of further ones."""
    found = []
    for name in names:
        try:
            found.append(ray.get_actor(name))
        except ValueError:
            continue
    return found
