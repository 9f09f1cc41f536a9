"""All uses of Ray's and Serve's private modules and arguments, written for ray 2.60.

Each function says what has no public way. tests/unit/actors/test_ray_internals.py fails if an upgrade changes
what one of them relies on. Serve's modules are imported where they are used: they take a second, which
commands that only watch a run need not spend.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from ray._common.network_utils import build_address
from ray._common.tls_utils import add_port_to_grpc_server
from ray._common.utils import get_default_system_temp_dir, get_ray_address_file
from ray._private import auto_init_hook, parameter, ray_constants, services
from ray._private.authentication.authentication_token_setup import maybe_enable_token_auth_if_token_available
from ray._private.authentication.authentication_utils import is_token_auth_enabled
from ray._private.grpc_utils import create_grpc_server_with_interceptors, init_grpc_channel
from ray._private.state import jobs
from ray._private.state import state as ray_state
from ray.experimental.internal_kv import _internal_kv_del, _internal_kv_list, _internal_kv_put

Options = list[tuple[str, Any]]
NOTES = b"staragents"

# -- the session ---------------------------------------------------------------------------------------


def temporary_folder() -> str:
    """Where Ray makes its session folders: RAY_TMPDIR, TMPDIR or /tmp."""
    return str(get_default_system_temp_dir())


def address_file() -> str:
    """The file that RAY_ADDRESS=auto reads."""
    return str(get_ray_address_file(None))


def in_folder(folder: str) -> dict[str, Any]:
    """Argument of `ray.init` that puts sockets and logs of a local Ray into `folder`."""
    return {"_temp_dir": folder}


@contextmanager
def only_needed_processes(copy_output: bool) -> Iterator[None]:
    """Within it, `ray.init` starts a local Ray without processes that a run has no use for: the dashboard's
    server, which Ray starts and awaits even without a dashboard, the autoscaler's monitor and, unless
    `copy_output`, the copier of the actors' output. Each imports Ray anew, a second of CPU time before the
    first actor can start. `ray.init` has no argument for them."""
    starting: Any = services
    parameters: Any = parameter
    before = starting.start_api_server, parameters.RayParams
    starting.start_api_server = lambda *_, **__: (None, None)
    parameters.RayParams = partial(before[1], no_monitor=True, include_log_monitor=copy_output)
    try:
        yield
    finally:
        starting.start_api_server, parameters.RayParams = before


def stay_on_loopback() -> None:
    """Use addresses on loopback only. Ray reads the variable for this, RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER, at
    import, too early for us."""
    ray_constants.ENABLE_RAY_CLUSTER = False


def stays_on_loopback() -> bool:
    return not ray_constants.ENABLE_RAY_CLUSTER


def start_on_request_only() -> None:
    """Let a call without a Ray fail. By default it starts one, which others can reach: a thread of Serve that
    outlives `ray.shutdown` did so. Ray reads the variable for this, RAY_ENABLE_AUTO_CONNECT, at import."""
    auto_init_hook.enable_auto_connect = False


def uses_token() -> bool:
    """Whether this process authenticates with Ray's token."""
    return bool(is_token_auth_enabled())


def load_token() -> None:
    """Load Ray's token file. Ray does so when it starts or finds a Ray, but not when given an address."""
    logging.getLogger("ray._private.authentication").setLevel(logging.ERROR)
    maybe_enable_token_auth_if_token_available(warn_if_disabled=False)


# -- the cluster ---------------------------------------------------------------------------------------


def node_groups() -> Sequence[Any]:
    """The autoscaler's groups of nodes, with `resources` and `max_count`; empty without an autoscaler."""
    config = ray_state.get_cluster_config()
    return config.node_group_configs if config is not None else ()


def leave_note(name: str) -> None:
    """Leave a name with Ray for all other processes of the cluster. Only its dashboard tells whether a task
    has begun, which a local Ray lacks."""
    _internal_kv_put(name, b"", namespace=NOTES)


def notes(prefix: str) -> set[str]:
    """The names that were left and begin with `prefix`."""
    return {name.decode() for name in _internal_kv_list(prefix, namespace=NOTES)}


def remove_notes(prefix: str) -> None:
    _internal_kv_del(prefix, del_by_prefix=True, namespace=NOTES)


def is_over(job: str) -> bool:
    """Whether the driver of the Ray job has ended."""
    return all(one["IsDead"] for one in jobs() if one["JobID"] == job)


def ready(actor: Any) -> Any:
    """A call that an actor answers when its constructor has returned."""
    return actor.__ray_ready__.remote()


# -- Serve ---------------------------------------------------------------------------------------------


def with_version(deployment: Any, version: str) -> Any:
    """The deployment with a fixed version. Serve takes a random one otherwise, so that every resize would
    replace all replicas; its public option is deprecated."""
    return deployment.options(version=version, _internal=True)


def by_value(handle: Any) -> Any:
    """The handle sends requests by value, which is cheaper than through the object store."""
    return handle.options(_by_reference=False)


# Serve looks these names up in its own modules when it opens a connection; it has no setting for them.


def add_channel_options(options: Options) -> None:
    """Add gRPC options to the connections that handles of this process open to replicas."""
    from ray.serve._private.request_router import replica_wrapper

    def channel(*arguments: Any, **named: Any) -> Any:
        named["options"] = [*named["options"], *options]
        return init_grpc_channel(*arguments, **named)

    replica_wrapper.init_grpc_channel = channel


def add_server_options(options: Options) -> None:
    """Add gRPC options to the server of the replica of this process."""
    from ray.serve._private import replica

    def server(*arguments: Any, **named: Any) -> Any:
        named["options"] = [*named["options"], *options]
        return create_grpc_server_with_interceptors(*arguments, **named)

    replica.create_grpc_server_with_interceptors = server


def listen_on(host: str) -> None:
    """Have the replica of this process listen on `host` only."""
    from ray.serve._private import replica

    address = build_address(host, 0)

    def add_port(server: Any, _: str) -> int:
        return int(add_port_to_grpc_server(server, address))

    replica.add_port_to_grpc_server = add_port
