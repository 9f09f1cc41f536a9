"""Where the actors go that read and write the run directory."""

from __future__ import annotations

from pathlib import Path

import pytest
import ray
from ray.cluster_utils import Cluster

from cluster.demand import demand_of
from cluster.pools import running_memory
from cluster.ray_session import ray_session
from staragents.config.loading import load_config

FAKE = str(Path(__file__).parents[2] / "configs/fake.yaml")


def test_the_memory_bank_of_a_run_directory_is_beside_the_driver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "num_gpus": 0, "include_dashboard": False}
    )
    try:
        cluster.add_node(num_cpus=8)
        monkeypatch.setenv("RAY_ADDRESS", cluster.address)
        config = load_config(FAKE, [f"output.dir={tmp_path / 'run'}"])
        with ray_session(demand_of(config)):
            here, found = ray.get_runtime_context().get_node_id(), set()
            for turn in range(4):
                with running_memory(config, f"placed-{turn}") as memory:
                    assert memory is not None
                    actor = ray.get_actor(memory.ready())
                    where = actor.__ray_call__.remote(lambda _: ray.get_runtime_context().get_node_id())
                    found.add(ray.get(where))
            assert found == {here}
    finally:
        cluster.shutdown()
