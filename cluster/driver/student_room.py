"""What a student takes of a Ray cluster, and how many students its nodes hold."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import ray

from cluster.session.capacity import Node, of_the_cluster
from cluster.session.demand import Demand, PoolDemand, gib
from staragents.config import EvaluationConfig
from staragents.evaluation.training_memory import reserved_bytes, training_bytes

AHEAD = 8
"""Students beyond those that the nodes hold, for which an autoscaler may add nodes."""
MOST_MEMORY = 0.9
"""Of the largest node's `memory` for one student. Two never share a node then, but it may start beside an
actor that reserves a little."""


class StudentRoom:
    """The resources of one student, and where there is room for them. All but `demand` need a connection."""

    def __init__(self, model: str, settings: EvaluationConfig) -> None:
        on_gpu = settings.num_gpus > 0
        need = training_bytes(model, settings, on_gpu)
        self._pool = PoolDemand("student", "evaluation", 1, 1, settings.num_cpus, settings.num_gpus, need)
        self._reserved = 0 if on_gpu else reserved_bytes(model, settings) or 0

    @property
    def demand(self) -> Demand:
        """One student: what must be there before anything starts."""
        return Demand((self._pool,))

    def options(self) -> dict[str, Any]:
        """Of a Ray task. On CPUs, it reserves memory, so that no more students run than fit; at most most of
        what the largest node has, as the estimate is an upper bound and a task that fits nowhere would never
        start."""
        holding = [
            node.resources.get("memory", 0.0) for node in of_the_cluster().nodes if node.holds(self._pool)
        ]
        memory = int(min(self._reserved, MOST_MEMORY * max(holding, default=0.0)))
        self._pool = replace(self._pool, resources={"memory": memory} if memory else {})
        return {"num_cpus": self._pool.cpus, "num_gpus": self._pool.gpus, "memory": memory or None}

    def places(self) -> int:
        """How many students to submit: those that the nodes hold, and some more."""
        return AHEAD + sum(self._places_on(node) for node in _alive())

    def shortage(self) -> str:
        """What a student waits for, and what there is."""
        pool = self._pool
        need = f"{pool.cpus:g} CPUs, {pool.gpus:g} GPUs{_memory(pool.resources)}"
        kinds = Counter(
            f"{node.cpus:g} CPUs, {node.gpus:g} GPUs{_memory(node.resources)}" for node in _alive()
        )
        nodes = "; ".join(f"{number} x {kind}" for kind, number in kinds.items()) or "none"
        free = ray.available_resources()
        return (
            f"each needs {need} on one node; nodes: {nodes}; free in all: {free.get('CPU', 0):g} CPUs, "
            f"{free.get('GPU', 0):g} GPUs{_memory(free)}"
        )

    def _places_on(self, node: Node) -> int:
        pool = self._pool
        needs = {"CPU": pool.cpus, "GPU": pool.gpus, **pool.resources}
        return int(min(node.resources.get(name, 0.0) // need for name, need in needs.items() if need))


def _alive() -> list[Node]:
    found = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return [Node(one.get("CPU", 0.0), one.get("GPU", 0.0), resources=one) for one in found]


def _memory(resources: Any) -> str:
    return f", {gib(resources['memory'])}" if resources.get("memory") else ""
