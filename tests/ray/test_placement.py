"""Placement of actors that must survive the loss of another node."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import ray
from ray.cluster_utils import Cluster

from actors.orphan_cleanup import guarded
from cluster.pools.pools import running_memory
from cluster.session.demand import demand_of
from cluster.session.ray_session import ray_session
from staragents.config import Config
from staragents.validation.loading import load_config
from tests.support.paths import FAKE

CONFIG = str(FAKE)
# Ray places actors without resource requests anywhere: one correct placement proves little.
TURNS = 4


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Config]:
    """A config for a cluster of a head node, where the driver is, and a larger node."""
    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "num_gpus": 0, "include_dashboard": False}
    )
    try:
        cluster.add_node(num_cpus=8)
        config = load_config(CONFIG, [f"output.dir={tmp_path_factory.mktemp('placed') / 'run'}"])
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("RAY_ADDRESS", cluster.address)
            with ray_session(demand_of(config)):
                yield config
    finally:
        cluster.shutdown()


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
