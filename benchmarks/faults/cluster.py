"""A Ray cluster of several nodes on this machine, whose processes can be killed."""

from __future__ import annotations

import random
import time
from types import TracebackType

import psutil
from ray.cluster_utils import Cluster

from .job import WrongEnd
from .processes import STOP_S, end, marked

CLASSES = {
    "replica": "ServeReplica",
    "scorer": "Scorer",
    "worker": "SeedWorkerActor",
    "memory": "MemoryActor",
    "coordinator": "CoordinatorActor",
}
"""Actor classes by kind of victim."""
WRITERS = ("coordinator", "memory")
"""Actors that write to the run directory."""
CPUS_EACH = 2
GPUS_EACH = 2
STORE_BYTES = 100_000_000
GONE_S = 60.0
ATTEMPTS = 3


class ChaosCluster:
    """A head, never killed because its loss ends a job, and `nodes` workers with all (logical) GPUs."""

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
        end(marked(), STOP_S)

    @property
    def address(self) -> str:
        return str(self._cluster.address)

    def kill(self, victim: str, rng: random.Random) -> str:
        """SIGKILL one process of that kind; returns which, or an empty string if there is none now."""
        if victim == "raylet":
            return self._kill_node(rng)
        found = self._actors(victim)
        if not found:
            return ""
        name, process = rng.choice(found)
        process.kill()
        return f"{name} (process {process.pid})"

    def wait_for_writers(self) -> None:
        """Wait until a dead driver's actors that write to the run directory have ended. Raises WrongEnd."""
        deadline = time.monotonic() + GONE_S
        while any(self._actors(kind) for kind in WRITERS):
            if time.monotonic() > deadline:
                raise WrongEnd(f"actors of a dead driver are alive after {GONE_S:g} s")
            time.sleep(0.1)

    def _kill_node(self, rng: random.Random) -> str:
        """Kill a node and replace it."""
        node = rng.choice(sorted(self._cluster.worker_nodes, key=lambda node: str(node.node_id)))
        self._cluster.remove_node(node, allow_graceful=False)
        self._add_node()
        return f"of node {node.node_id[:8]}"

    def _add_node(self) -> None:
        """With retries: Ray gives a node a fixed 30 s to start (2.60), too short for a busy machine."""
        for left in reversed(range(ATTEMPTS)):
            raylets = set(_raylets())
            try:
                self._cluster.add_node(
                    num_cpus=CPUS_EACH, num_gpus=GPUS_EACH, object_store_memory=STORE_BYTES
                )
                return
            except Exception:  # Ray raises nothing more specific
                end(list(set(_raylets()) - raylets))
                if not left:
                    raise

    def _actors(self, victim: str) -> list[tuple[str, psutil.Process]]:
        """Live actors of this cluster by name, if the process that Ray names is alive too."""
        ours = {process.pid: process for process in marked()}
        table = self._cluster.global_state.actor_table(None, actor_state_name="ALIVE").values()
        return sorted(
            (actor["Name"], ours[actor["Pid"]])
            for actor in table
            if actor["ActorClassName"].startswith(CLASSES[victim]) and actor["Pid"] in ours
        )


def _raylets() -> list[psutil.Process]:
    return [process for process in marked() if process.name() == "raylet"]
