"""A Ray cluster of several nodes on this machine whose processes can be killed."""

from __future__ import annotations

import os
import random
from types import TracebackType

import psutil
from ray.cluster_utils import Cluster

ACTORS = {
    "replica": "ServeReplica",
    "scorer": "Scorer",
    "worker": "SeedWorkerActor",
    "memory": "MemoryActor",
    "coordinator": "CoordinatorActor",
}
"""Who can be killed by the class of its actor."""
CPUS_EACH = 2
GPUS_EACH = 2
STORE_BYTES = 100_000_000
STOP_S = 20.0


class ChaosCluster:
    """A head, which is spared as its loss ends a job, and `nodes` workers with the only (logical) GPUs."""

    def __init__(self, nodes: int) -> None:
        self._cluster = Cluster(
            initialize_head=True,
            head_node_args={"num_cpus": 0, "object_store_memory": STORE_BYTES, "include_dashboard": False},
        )
        for _ in range(nodes):
            self._add_node()

    def __enter__(self) -> ChaosCluster:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cluster.shutdown()
        _, alive = psutil.wait_procs(self._marked(), timeout=STOP_S)
        for process in alive:
            process.kill()

    @property
    def address(self) -> str:
        return str(self._cluster.address)

    def kill(self, victim: str, dice: random.Random) -> str:
        """SIGKILL one process of that kind; says which, or nothing if there is none at the moment."""
        if victim == "raylet":
            return self._kill_node(dice)
        found = self._actors(ACTORS[victim])
        if not found:
            return ""
        name, process = dice.choice(found)
        process.kill()
        return f"{name} (process {process.pid})"

    def _kill_node(self, dice: random.Random) -> str:
        """A node is gone at once, and another takes its place."""
        node = dice.choice(sorted(self._cluster.worker_nodes, key=lambda node: str(node.node_id)))
        self._cluster.remove_node(node, allow_graceful=False)
        self._add_node()
        return f"of node {node.node_id[:8]}"

    def _add_node(self) -> None:
        self._cluster.add_node(num_cpus=CPUS_EACH, num_gpus=GPUS_EACH, object_store_memory=STORE_BYTES)

    def _actors(self, class_name: str) -> list[tuple[str, psutil.Process]]:
        """Live actors of this cluster, by name. Other clusters may run on this machine: what Ray says must be
        true of the process too, which inherits this cluster's mark."""
        ours = {process.pid: process for process in self._marked()}
        table = self._cluster.global_state.actor_table(None, actor_state_name="ALIVE").values()
        return sorted(
            (actor["Name"], ours[actor["Pid"]])
            for actor in table
            if actor["ActorClassName"].startswith(class_name) and actor["Pid"] in ours
        )

    def _marked(self) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("STARAGENTS_CHAOS_MARK") == os.environ["STARAGENTS_CHAOS_MARK"]:
                    found.append(process)
            except (psutil.Error, OSError):
                continue
        return [process for process in found if process.pid != os.getpid()]
