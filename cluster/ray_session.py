"""Start a Ray on this machine, or join the cluster at RAY_ADDRESS, and leave nothing behind."""

from __future__ import annotations

import logging
import math
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import ray
from ray._private import ray_constants

from cluster import capacity
from cluster.demand import Demand
from staragents.environment import ray_address
from staragents.errors import RunFailed

logger = logging.getLogger(__name__)

NAMESPACE = "staragents"
LOCAL_OBJECT_STORE_BYTES = 1 << 30
KNOCK_S = 10.0

# Ray's housekeeping at a cluster's pace slows the models of a two-core machine (docs/benchmarks.md); a local
# Ray has one node, and nobody reads its task events.
LOCAL_PACE = {
    "RAY_SERVE_CONTROL_LOOP_INTERVAL_S": "1",
    "RAY_SERVE_METRICS_EXPORT_INTERVAL_MS": "5000",
    "RAY_task_events_report_interval_ms": "0",
    # Workers started ahead, one a CPU, fit no actor of ours: each has an environment of its own.
    "RAY_prestart_worker_first_driver": "0",
    "RAY_enable_worker_prestart": "0",
}


@contextmanager
def ray_session(demand: Demand) -> Iterator[None]:
    """A connected Ray that can hold `demand`. Raises BadInput with the arithmetic if it can't."""
    # Ray would otherwise warn about a coming change of what an actor with num_gpus=0 sees.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    # Children of a worker (vLLM's engine process) go when the worker goes (ray#54364, ray#56476).
    os.environ.setdefault("RAY_process_group_cleanup_enabled", "1")
    address = ray_address()
    if address:
        join(address)
    else:
        capacity.of_this_machine(demand).check(demand)
        # On loopback, where nobody else can reach it. Ray reads its variable for this too early for us, at
        # import: RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0.
        ray_constants.ENABLE_RAY_CLUSTER = False
        for name, value in LOCAL_PACE.items():
            os.environ.setdefault(name, value)
        try:
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
        except Exception as error:  # Ray raises bare ones, such as when the machine is too busy to start it
            raise RunFailed(f"Ray did not start on this machine: {' '.join(str(error).split())}") from error
    try:
        if address:
            capacity.of_the_cluster().check(demand)
        yield
    finally:
        ray.shutdown()


def join(address: str) -> None:
    """Connect to a cluster as a driver. Raises RunFailed if it does not answer or has another Ray."""
    try:
        _knock(address)
        ray.init(address=address, namespace=NAMESPACE, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise RunFailed(f"RAY_ADDRESS: expected a Ray that answers at {address}: {reason}") from error


def _knock(address: str) -> None:
    """Ray itself tries an address that is not there for three minutes. Raises OSError."""
    host, _, port = address.rpartition(":")
    if host and port.isdigit() and "://" not in address:
        socket.create_connection((host.strip("[]"), int(port)), timeout=KNOCK_S).close()
