"""The gRPC connection between a Serve handle and a replica, where Serve has no setting for it (ray 2.60).

A handle sends requests by value over gRPC, and Ray does not fail such a call when the replica's node is lost:
when power or network of the node fail, a client without keepalive waits until its own deadline. Ray's default
of one ping in 5 minutes is too slow, and by default a gRPC server closes connections that are pinged more
often. Each function replaces a name that one of Serve's modules looks up when it opens a connection.
"""

from __future__ import annotations

from typing import Any

import ray
from ray._common.network_utils import build_address
from ray._common.tls_utils import add_port_to_grpc_server
from ray._private.grpc_utils import create_grpc_server_with_interceptors, init_grpc_channel
from ray.serve._private import replica
from ray.serve._private.request_router import replica_wrapper

PING_S = 15.0
"""A connection that is silent for this long is pinged while a request is waiting."""
PING_TIMEOUT_S = 15.0
"""A ping without an answer for this long fails all requests of the connection: they are sent again."""
Options = list[tuple[str, Any]]


def client_options() -> Options:
    """Options of a gRPC channel that notices a lost peer."""
    return [
        ("grpc.keepalive_time_ms", round(1000 * PING_S)),
        ("grpc.keepalive_timeout_ms", round(1000 * PING_TIMEOUT_S)),
        # Its default of a minute wins over the line above (grpc 1.85).
        ("grpc.http2.ping_timeout_ms", round(1000 * PING_TIMEOUT_S)),
        ("grpc.http2.max_pings_without_data", 0),
    ]


def server_options() -> Options:
    """Options of a gRPC server that accepts these pings however long a request takes."""
    return [("grpc.http2.max_ping_strikes", 0)]


def ping_replicas() -> None:
    """Have this process ping the replicas that it waits for. To be called before a handle is used."""

    def channel(*arguments: Any, **named: Any) -> Any:
        named["options"] = [*named["options"], *client_options()]
        return init_grpc_channel(*arguments, **named)

    replica_wrapper.init_grpc_channel = channel


def accept_pings() -> None:
    """Have the replica of this process answer pings. Serve makes the server after it has imported the class
    of the replica and before it calls its constructor, so the module of the class calls this."""

    def server(*arguments: Any, **named: Any) -> Any:
        named["options"] = [*named["options"], *server_options()]
        return create_grpc_server_with_interceptors(*arguments, **named)

    replica.create_grpc_server_with_interceptors = server


def listen_on_node_address() -> None:
    """Have the replica of this process listen on its node's address only. Serve opens the port on all
    interfaces, also of a local Ray, and unpickles what arrives. To be called in the replica's constructor."""
    address = build_address(ray.util.get_node_ip_address(), 0)

    def add_port(server: Any, _: str) -> int:
        return add_port_to_grpc_server(server, address)

    replica.add_port_to_grpc_server = add_port
