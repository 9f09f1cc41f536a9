"""Start a Ray on this machine, or join the cluster at RAY_ADDRESS, and leave nothing behind."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager

import ray

from cluster.demand import Demand
from staragents.environment import ray_address
from staragents.errors import BadInput

logger = logging.getLogger(__name__)

NAMESPACE = "staragents"
LOCAL_OBJECT_STORE_BYTES = 1 << 30

# Ray's housekeeping at a cluster's pace slows the models of a two-core machine (docs/benchmarks.md); a local
# Ray has one node, and nobody reads its task events.
LOCAL_PACE = {
    "RAY_SERVE_CONTROL_LOOP_INTERVAL_S": "1",
    "RAY_SERVE_METRICS_EXPORT_INTERVAL_MS": "5000",
    "RAY_task_events_report_interval_ms": "0",
}


@contextmanager
def ray_session(demand: Demand) -> Iterator[None]:
    """A connected Ray that can hold `demand`. Raises BadInput with the arithmetic if it can't."""
    # Ray would otherwise warn about a coming change of what an actor with num_gpus=0 sees.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    # Children of a worker (vLLM's engine process) go when the worker goes (ray#54364, ray#56476).
    os.environ.setdefault("RAY_process_group_cleanup_enabled", "1")
    if address := ray_address():
        ray.init(address=address, namespace=NAMESPACE, log_to_driver=False, logging_level=logging.ERROR)
    else:
        gpus = _local_gpus()
        if demand.gpus > gpus:
            raise BadInput(f"models: {demand.explain()}; this machine has {gpus:g} GPUs")
        for name, value in LOCAL_PACE.items():
            os.environ.setdefault(name, value)
        ray.init(
            address="local",
            namespace=NAMESPACE,
            # Logical CPUs: the pools of a small machine take turns on its cores.
            num_cpus=max(os.cpu_count() or 1, math.ceil(demand.cpus)),
            object_store_memory=LOCAL_OBJECT_STORE_BYTES,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    try:
        check_fit(demand, ray.cluster_resources())
        yield
    finally:
        ray.shutdown()


def check_fit(demand: Demand, resources: dict[str, float]) -> None:
    """Raises BadInput if the cluster, as it is, can't start what the config asks for at least."""
    short = [
        f"{need:g} {name}s, the cluster has {resources.get(name, 0):g}"
        for name, need in (("CPU", demand.cpus), ("GPU", demand.gpus))
        if need > resources.get(name, 0)
    ]
    if short:
        raise BadInput(f"models: {demand.explain()}: expected {'; '.join(short)}")


def _local_gpus() -> float:
    import torch

    return float(torch.cuda.device_count())
