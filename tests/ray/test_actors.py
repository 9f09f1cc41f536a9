"""Actors on a cluster of three nodes: placement, a replica that spans two nodes, calls to a full worker."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import ray
from ray.cluster_utils import Cluster
from ray.exceptions import RayActorError, RayError
from ray.util import placement_group_table

from actors import seed_workers
from actors.control import Control, ResizeModel
from actors.generator_client import connect
from actors.orphan_cleanup import guarded
from actors.seed_worker import SeedWorker
from actors.seed_worker_actor import Pools, SeedWorkerActor
from actors.seed_workers import CONTROL, CONTROL_CALLS, SeedWorkers
from cluster.pools.generators import running_generators
from cluster.pools.pools import running_memory
from cluster.session.capacity import of_the_cluster
from cluster.session.demand import demand_of
from cluster.session.ray_session import ray_session
from staragents.base.generation import Generation, GenerationRequest, Sampling
from staragents.base.messages import Message
from staragents.config import Config
from staragents.validation.loading import load_config
from tests.support.paths import FAKE

CONFIG = str(FAKE)
# Ray places actors without resource requests anywhere: one correct placement proves little.
TURNS = 4


@pytest.fixture(scope="module")
def gpu_nodes() -> Iterator[set[str]]:
    """A driver's session on a head node, with two larger nodes that have a GPU each, whose ids it yields."""
    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "num_gpus": 0, "include_dashboard": False}
    )
    try:
        nodes = {cluster.add_node(num_cpus=8, num_gpus=1).node_id for _ in range(2)}
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("RAY_ADDRESS", cluster.address)
            with ray_session(demand_of(load_config(CONFIG))):
                yield nodes
    finally:
        cluster.shutdown()


@pytest.fixture
def config(gpu_nodes: set[str], tmp_path: Path) -> Config:
    return load_config(CONFIG, [f"output.dir={tmp_path / 'run'}"])


def here() -> str:
    return ray.get_runtime_context().get_node_id()


def node_of(actor: Any) -> str:
    return ray.get(actor.__ray_call__.remote(lambda _: ray.get_runtime_context().get_node_id()))


def test_the_memory_bank_of_a_run_directory_is_beside_the_driver(config: Config) -> None:
    found = set()
    for turn in range(TURNS):
        with running_memory(config, f"placed-{turn}") as memory:
            assert memory is not None
            found.add(node_of(ray.get_actor(memory.ready())))
    assert found == {here()}


def test_the_orphan_cleanup_is_on_the_head_and_its_death_ends_no_run(config: Config) -> None:
    found = set()
    for turn in range(TURNS):
        with guarded(["an-app"], f"placed-{turn}"):
            cleanup = ray.get_actor(f"orphan-cleanup-placed-{turn}")
            found.add(node_of(cleanup))
            if turn == TURNS - 1:
                ray.kill(cleanup)
    assert found == {here()}


def one_answer(config: Config, apps: dict[str, str]) -> Generation:
    request = GenerationRequest("r", Sampling(), 0, messages=(Message("user", "Say it."),), deadline_s=60)
    return asyncio.run(connect(config, apps, None).generate("writer", request))


def test_a_replica_spans_two_nodes_and_releases_them(gpu_nodes: set[str], tmp_path: Path) -> None:
    config = load_config(
        CONFIG, [f"output.dir={tmp_path / 'run'}", "models.writer.num_gpus=2", "models.writer.nodes=2"]
    )
    del config.models["judge"]
    of_the_cluster().check(demand_of(config))
    with running_generators(config, "spread") as apps:
        (group,) = placement_group_table().values()
        assert group["state"] == "CREATED"
        assert list(group["bundles"].values()) == [{"GPU": 1.0}] * 2
        assert set(group["bundles_to_node_id"].values()) == gpu_nodes
        # In its own process, as in a run: Serve's threads outlive the handle.
        answering = ray.remote(num_cpus=0)(one_answer)
        assert ray.get(answering.remote(config, apps)).text
    assert [group["state"] for group in placement_group_table().values()] == ["REMOVED"]


class Full(SeedWorker):
    """Never finishes a seed."""

    def __init__(self) -> None:
        self.generators: Any = SimpleNamespace(counters={})
        self.scorers = {"target": SimpleNamespace(outstanding=7, size=1)}  # type: ignore[dict-item]
        self._process = "one"

    async def run(self, *work: Any) -> Any:
        await asyncio.Event().wait()


def test_calls_that_scale_or_watch_a_run_are_answered_while_every_slot_is_taken(config: Config) -> None:
    as_actor = ray.remote(concurrency_groups={CONTROL: CONTROL_CALLS})(Full)
    actor = as_actor.options(num_cpus=0, max_concurrency=2).remote()
    ray.get(actor.state.remote())  # it is up
    seeds = [actor.run.remote() for _ in range(4)]
    state = asyncio.run(SeedWorkers([actor], config.run).state())
    assert (state.outstanding, state.scorers) == ({"target": 7}, {"target": 1})
    assert ray.wait(seeds, num_returns=1, timeout=0.5)[0] == []
    ray.kill(actor)


class Watched(SeedWorkerActor):
    """Has no pools, and says in which thread it carries out messages."""

    def __init__(self, config: Config) -> None:
        super().__init__(config, Pools("watched", {}, [], [], True, None), None)
        self._carried_out_in = 0

    async def _carry_out(self, message: Control) -> None:
        self._carried_out_in = threading.get_ident()

    async def threads(self) -> tuple[int, int]:
        return self._carried_out_in, threading.get_ident()


async def test_messages_change_a_worker_in_the_loop_that_runs_its_seeds(config: Config) -> None:
    as_actor = ray.remote(concurrency_groups={CONTROL: CONTROL_CALLS})(Watched)
    actor = as_actor.options(num_cpus=0).remote(config)
    await SeedWorkers([actor], config.run).tell(ResizeModel("writer", 1, 1))
    carried_out_in, own = await actor.threads.remote()
    assert carried_out_in == own
    ray.kill(actor)


async def test_a_worker_whose_process_stands_still_is_replaced(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seed_workers, "STATE_TIMEOUT_S", 0.5)
    monkeypatch.setattr(seed_workers, "HANGS_AFTER_S", 1.0)
    as_actor = ray.remote(concurrency_groups={CONTROL: CONTROL_CALLS})(Full)
    actor = as_actor.options(num_cpus=0, max_restarts=-1).remote()
    before = await actor.__ray_call__.remote(lambda _: os.getpid())
    workers = SeedWorkers([actor], config.run)
    await workers.state()
    seed = actor.run.remote()
    os.kill(before, signal.SIGSTOP)

    async def replaced() -> int:
        while True:
            await workers.state()
            try:
                async with asyncio.timeout(1):
                    return await actor.__ray_call__.remote(lambda _: os.getpid())
            except (RayError, TimeoutError):
                continue

    assert await asyncio.wait_for(replaced(), 90) != before
    with pytest.raises(RayActorError):
        await seed
    ray.kill(actor)
