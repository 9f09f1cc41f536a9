"""Resources available to a run: this machine, or a cluster including nodes its autoscaler may add."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil

from cluster.session.demand import Demand, PoolDemand, gib
from staragents.base.errors import BadInput, RunFailed
from staragents.models.model_size import GIB

# GiB per GPU, by Ray's accelerator name; if a name covers several sizes, the largest.
ACCELERATOR_GIB = {
    "T4": 16, "V100": 32, "L4": 24, "A10G": 24, "L40S": 48, "A100": 80, "A100-40G": 40, "A100-80G": 80,
    "H100": 80, "H200": 141, "H20": 96, "B200": 192, "B300": 288, "RTX-PRO-6000": 96,
    "AMD-Instinct-MI300X-OAM": 192, "AMD-Instinct-MI325X-OAM": 256,
}  # fmt: skip

GPU_DEVICES = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
"""Devices of the drivers of NVIDIA, AMD and WSL."""
UNLIMITED = 1_000_000


@dataclass(frozen=True, slots=True)
class Node:
    """A machine, or `count` machines of one kind. Memory in bytes; None if unknown."""

    cpus: float
    gpus: float
    memory: float | None = None
    gpu_memory: float | None = None
    count: int = 1
    resources: Mapping[str, float] = field(default_factory=dict)
    """All resources by Ray's names, including custom ones."""

    def holds(self, pool: PoolDemand) -> bool:
        """Whether one replica, or one node's part of it, fits on an empty node of this kind."""
        return (
            self.cpus >= pool.cpus
            and self.gpus >= pool.gpus / pool.nodes
            and all(self.resources.get(name, 0.0) >= need for name, need in pool.resources.items())
        )


@dataclass(frozen=True, slots=True)
class Capacity:
    """All nodes a run may use."""

    where: str
    nodes: tuple[Node, ...]
    shares_cpus: bool = False
    """Whether pools may ask for more CPUs than there are, and share them."""

    @property
    def cpus(self) -> float:
        return sum(node.count * node.cpus for node in self.nodes)

    @property
    def gpus(self) -> float:
        return sum(node.count * node.gpus for node in self.nodes)

    def check(self, demand: Demand) -> None:
        """Raises BadInput if `demand` does not fit: one line with the arithmetic per shortage."""
        if problems := list(self.problems(demand)):
            raise BadInput(problems)

    def problems(self, demand: Demand) -> Iterator[str]:
        short = [
            f"{need:g} {name}s, {self.where} has {there:g}"
            for name, need, there in (("CPU", demand.cpus, self.cpus), ("GPU", demand.gpus, self.gpus))
            if need > there and not (name == "CPU" and self.shares_cpus)
        ]
        if short:
            yield f"models: {demand.explain()}: expected {'; '.join(short)}"
            return
        for pool in demand.pools:
            yield from self._pool_problems(pool)
        yield from self._memory_problems(demand)

    def _pool_problems(self, pool: PoolDemand) -> Iterator[str]:
        """Problems of one pool; a replica spans at most `pool.nodes` nodes."""
        asked = replace(pool, cpus=0.0) if self.shares_cpus else pool
        fitting = [node for node in self.nodes if node.holds(asked)]
        for name, amount in pool.resources.items():
            if not any(node.resources.get(name, 0.0) >= amount for node in self.nodes):
                yield f"{pool.key}.resources.{name}: expected a node with {amount:g}, {self.where} has none"
                return
        if pool.replicas and sum(node.count for node in fitting) < pool.nodes:
            largest = max(self.nodes, key=lambda node: (node.gpus, node.cpus))
            where = "one node" if pool.nodes == 1 else f"each of {pool.nodes} nodes"
            yield (
                f"{pool.key}.num_gpus: one replica needs {pool.cpus:g} CPUs and "
                f"{pool.gpus / pool.nodes:g} GPUs on {where}; the largest of {self.where} has "
                f"{largest.cpus:g} CPUs and {largest.gpus:g} GPUs"
            )
            return
        memories = [node.gpu_memory for node in fitting]
        need = pool.bytes
        if not pool.gpus or need is None or not memories or None in memories:
            return
        cards = max(1.0, pool.gpus)
        room = max(memory for memory in memories if memory is not None)
        if need > cards * pool.memory_share * room:
            setting = "num_gpus" if pool.memory_share == pool.gpus else "gpu_memory_utilization"
            share = f" x {pool.memory_share:g} ({setting})" if pool.memory_share < 1 else ""
            yield (
                f"{pool.key}: {pool.explain_bytes()} = {gib(need)} of GPU memory, "
                f"{cards:g} x {gib(room)}{share} = {gib(cards * pool.memory_share * room)} there"
            )

    def _memory_problems(self, demand: Demand) -> Iterator[str]:
        """Host memory, for pools on CPUs."""
        memories = [node.memory for node in self.nodes for _ in range(node.count)]
        if None in memories:
            return
        there = sum(memory for memory in memories if memory is not None)
        pools = [pool for pool in demand.pools if not pool.gpus and pool.bytes]
        need = sum(pool.replicas * (pool.bytes or 0) for pool in pools)
        if need > there:
            parts = ", ".join(f"{pool.name}: {pool.replicas} x {pool.explain_bytes()}" for pool in pools)
            yield (
                f"models: the pools on CPUs need {gib(need)} of memory ({parts}), "
                f"{self.where} has {gib(there)}"
            )


def of_this_machine() -> Capacity:
    """Its Ray gets as many CPUs as the pools ask for."""
    sizes, cpus = _gpu_sizes(), float(os.cpu_count() or 1)
    node = Node(cpus, float(len(sizes)), float(psutil.virtual_memory().total), min(sizes, default=None))
    return Capacity("this machine", (node,), shares_cpus=True)


def _gpu_sizes() -> list[float]:
    """Bytes of memory of each GPU of this machine."""
    # torch takes seconds to import, so not where no driver is loaded.
    if not any(Path(device).exists() for device in GPU_DEVICES):
        return []
    import torch

    cards = range(torch.cuda.device_count())
    return [float(torch.cuda.get_device_properties(card).total_memory) for card in cards]


def of_the_cluster() -> Capacity:
    """Nodes of the Ray cluster we are connected to, or those its autoscaler may start."""
    import ray  # not for `plan` on this machine

    from actors.ray_internals import node_groups

    nodes = [
        Node(
            resources.get("CPU", 0.0),
            resources.get("GPU", 0.0),
            gpu_memory=_gpu_memory(resources),
            resources=resources,
        )
        for resources in (node["Resources"] for node in ray.nodes() if node["Alive"])
    ]
    there = Capacity("the cluster", tuple(nodes))
    if not (addable := node_groups()):
        return there
    groups = tuple(
        Node(
            float(group.resources.get("CPU", 0)),
            float(group.resources.get("GPU", 0)),
            gpu_memory=_gpu_memory(dict(group.resources)),
            count=UNLIMITED if group.max_count < 0 else group.max_count,
            resources={name: float(amount) for name, amount in group.resources.items()},
        )
        for group in addable
        if group.max_count != 0
    )
    grown = Capacity("the cluster with all its autoscaler may add", groups)
    # A group's maximum may be unset, and nodes may have joined manually: use whichever is larger.
    return grown if (grown.gpus, grown.cpus) > (there.gpus, there.cpus) else there


def check_room(pool: PoolDemand, more: int) -> None:
    """Raises RunFailed unless `more` replicas fit next to what runs, including autoscaled nodes."""
    if more <= 0:
        return
    import ray

    there, used = of_the_cluster(), ray.cluster_resources()
    free = ray.available_resources()
    for kind, each, total in (("CPU", pool.cpus, there.cpus), ("GPU", pool.gpus, there.gpus)):
        room = total - used.get(kind, 0.0) + free.get(kind, 0.0)
        if more * each > room:
            raise RunFailed(
                f"{pool.key}: {more} more replicas need {more} x {each:g} = {more * each:g} {kind}s; "
                f"{room:g} of {total:g} in {there.where} are free"
            )
    there.check(Demand((replace(pool, replicas=1),)))


def _gpu_memory(resources: dict[str, float]) -> float | None:
    names = [name.partition(":")[2] for name in resources if name.startswith("accelerator_type:")]
    sizes = [ACCELERATOR_GIB[name] * float(GIB) for name in names if name in ACCELERATOR_GIB]
    return min(sizes, default=None)
