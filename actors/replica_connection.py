"""The gRPC connection between a Serve handle and a replica: lost nodes are noticed, strangers kept out.

A handle sends requests by value over gRPC, and Ray does not fail such a call when the replica's node is lost:
when power or network of the node fail, a client without keepalive waits until its own deadline. Ray's default
of one ping in 5 minutes is too slow, and by default a gRPC server closes connections that are pinged more
often.
"""

from __future__ import annotations

import ray

from actors.ray_internals import Options, add_channel_options, add_server_options, listen_on

PING_S = 15.0
"""A connection that is silent for this long is pinged while a request is waiting."""
PING_TIMEOUT_S = 15.0
"""A ping without an answer for this long fails all requests of the connection: they are sent again."""


def client_options() -> Options:
    """Options of a gRPC channel that notices a lost peer, and that HTTP_PROXY does not lead out of the
    cluster."""
    return [
        ("grpc.enable_http_proxy", 0),
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
    add_channel_options(client_options())


def accept_pings() -> None:
    """Have the replica of this process answer pings. Serve makes the server after it has imported the class
    of the replica and before it calls its constructor, so the module of the class calls this."""
    add_server_options(server_options())


def listen_on_node_address() -> None:
    """Have the replica of this process listen on its node's address only. Serve opens the port on all
    interfaces, also of a local Ray, and unpickles what arrives. To be called in the replica's constructor."""
    listen_on(ray.util.get_node_ip_address())
