"""Start Ray on this machine or join the cluster at RAY_ADDRESS; leaves nothing behind."""

from __future__ import annotations

import logging
import math
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import grpc
import ray

from actors import lean_imports
from actors.ray_internals import (
    address_file,
    in_folder,
    only_needed_processes,
    start_on_request_only,
    stay_on_loopback,
)
from cluster.session import capacity
from cluster.session.demand import Demand
from cluster.session.private_folder import private_folder
from cluster.session.ray_token import keep_token_private
from cluster.terminal.copied_output import copied_output
from staragents.base.environment import VERBOSE, ray_address, verbose
from staragents.base.errors import RunFailed

logger = logging.getLogger(__name__)

NAMESPACE = "staragents"
LOCAL_OBJECT_STORE_BYTES = 1 << 30
PROBE_TIMEOUT_S = 5.0
CHECK_ALIVE = "/ray.rpc.NodeInfoGcsService/CheckAlive"
"""Only the head node of a Ray cluster answers this call, or rejects it without the token."""

# Ray's default housekeeping intervals slow down models on a two-core machine (docs/benchmarks.md); a local
# Ray has one node, and nobody reads its task events.
LOCAL_PACE = {
    # A replica starts and is found ready at a turn of this loop; four a second take 2 % of a core.
    "RAY_SERVE_CONTROL_LOOP_INTERVAL_S": "0.25",
    "RAY_SERVE_METRICS_EXPORT_INTERVAL_MS": "5000",
    "RAY_task_events_report_interval_ms": "0",
    # Workers started in advance, one per CPU, are useless: each of our actors has its own environment.
    "RAY_prestart_worker_first_driver": "0",
    "RAY_enable_worker_prestart": "0",
    "RAY_preload_python_modules": lean_imports.__name__,
}


@contextmanager
def ray_session(demand: Demand) -> Iterator[None]:
    """A Ray connection with capacity for `demand`. Raises BadInput with the arithmetic if it is too small."""
    # Silences Ray's warning about a future change in what an actor with num_gpus=0 sees.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    # End the children of a worker (vLLM's engine process) with the worker (ray#54364, ray#56476).
    os.environ.setdefault("RAY_process_group_cleanup_enabled", "1")
    started = time.monotonic()
    with ExitStack() as stack:
        if verbose():
            stack.enter_context(copied_output(sys.stderr))
        if address := ray_address():
            join(address, copy_output=verbose())
            logger.info("joined the Ray at %s in %.1f s", address, time.monotonic() - started)
            stack.callback(ray.shutdown)
            capacity.of_the_cluster().check(demand)
        else:
            capacity.of_this_machine().check(demand)
            folder = stack.enter_context(private_folder())
            _start(demand, folder)
            logger.info("Ray started in %.1f s: %s", time.monotonic() - started, folder)
            stack.callback(ray.shutdown)
        yield


def _start(demand: Demand, folder: Path) -> None:
    """Start a Ray that others can't reach: on loopback, with a token, sockets and logs in `folder`. Raises
    RunFailed."""
    start_on_request_only()
    keep_token_private(folder.parent / "auth_token")
    stay_on_loopback()
    for name, value in LOCAL_PACE.items():
        os.environ.setdefault(name, value)
    try:
        with only_needed_processes(copy_output=verbose()):
            ray.init(
                address="local",
                namespace=NAMESPACE,
                # Logical CPUs: on a small machine, pools share its cores.
                num_cpus=max(os.cpu_count() or 1, math.ceil(demand.cpus)),
                object_store_memory=LOCAL_OBJECT_STORE_BYTES,
                include_dashboard=False,
                log_to_driver=verbose(),
                logging_level=logging.ERROR,
                **in_folder(str(folder)),
            )
    except Exception as error:  # Ray raises plain Exception, for example when the machine is too busy
        raise RunFailed(f"Ray did not start on this machine: {' '.join(str(error).split())}") from error


def join(address: str, copy_output: bool = False) -> None:
    """Connect to a cluster as a driver; with `copy_output`, print here what the job's actors print.

    Raises RunFailed if the cluster does not answer or its Ray version differs.
    """
    start_on_request_only()
    try:
        probe(address)
        ray.init(
            address=address,
            namespace=NAMESPACE,
            # Processes of a cluster don't inherit our environment.
            runtime_env={"env_vars": {VERBOSE: "1"}} if copy_output else None,
            log_to_driver=copy_output,
            logging_level=logging.ERROR,
        )
    except (OSError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise RunFailed(f"RAY_ADDRESS: expected a Ray that answers at {address}: {reason}") from error


def probe(address: str) -> None:
    """Check, without the token, that a Ray head answers: Ray itself retries a wrong address for minutes.
    Raises OSError."""
    if address == "auto":
        _check_address_file()
        return
    host, _, port = address.rpartition(":")
    if "/" in address or not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise OSError("expected HOST:PORT of a head node, such as 10.0.0.5:6379, or auto")
    socket.create_connection((host.strip("[]"), int(port)), timeout=PROBE_TIMEOUT_S).close()
    with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        try:
            channel.unary_unary(CHECK_ALIVE)(b"", timeout=PROBE_TIMEOUT_S)
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.UNAUTHENTICATED:
                raise OSError("what listens there is not the head node of a Ray cluster") from error


def _check_address_file() -> None:
    """Check the owner of the file that `auto` reads: its folder is world-writable. Raises OSError."""
    path = Path(address_file())
    if path.exists() and (owner := path.stat().st_uid) != os.getuid():
        raise OSError(f"expected HOST:PORT, because {path} belongs to another user ({owner})")
