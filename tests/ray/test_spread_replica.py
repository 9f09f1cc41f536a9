"""A replica with GPUs on two nodes: placed on both, with nothing left allocated afterwards."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import ray
from ray.cluster_utils import Cluster
from ray.util import placement_group_table

from actors.generator_client import connect
from cluster.pools.generators import running_generators
from cluster.session.capacity import of_the_cluster
from cluster.session.demand import demand_of
from cluster.session.ray_session import ray_session
from staragents.base.generation import Generation, GenerationRequest, Sampling
from staragents.base.messages import Message
from staragents.config import Config
from staragents.validation.loading import load_config
from tests.support.paths import FAKE

CONFIG = str(FAKE)


def one_answer(config: Config, apps: dict[str, str]) -> Generation:
    request = GenerationRequest("r", Sampling(), 0, messages=(Message("user", "Say it."),), deadline_s=60)
    return asyncio.run(connect(config, apps, None).generate("writer", request))


def test_a_replica_spans_two_nodes_and_releases_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 2, "num_gpus": 0, "include_dashboard": False}
    )
    try:
        nodes = {cluster.add_node(num_cpus=1, num_gpus=1).node_id for _ in range(2)}
        monkeypatch.setenv("RAY_ADDRESS", cluster.address)
        config = load_config(
            CONFIG, [f"output.dir={tmp_path / 'run'}", "models.writer.num_gpus=2", "models.writer.nodes=2"]
        )
        del config.models["judge"]
        with ray_session(demand_of(config)):
            of_the_cluster().check(demand_of(config))
            with running_generators(config, "spread") as apps:
                (group,) = placement_group_table().values()
                assert group["state"] == "CREATED"
                assert list(group["bundles"].values()) == [{"GPU": 1.0}] * 2
                assert set(group["bundles_to_node_id"].values()) == nodes
                # In its own process, as in a run: Serve's threads outlive the handle.
                answering = ray.remote(num_cpus=0)(one_answer)
                assert ray.get(answering.remote(config, apps)).text
            assert [group["state"] for group in placement_group_table().values()] == ["REMOVED"]
    finally:
        cluster.shutdown()
