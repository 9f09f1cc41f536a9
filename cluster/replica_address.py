"""The port on which a Serve replica takes requests, on its node's own address only."""

from __future__ import annotations

from typing import Any

import ray
from ray._common.network_utils import build_address
from ray._common.tls_utils import add_port_to_grpc_server
from ray.serve._private import replica


def listen_on_node_address() -> None:
    """Serve opens it on all interfaces, a local Ray's as well (ray 2.60, `ReplicaBase._on_initialized`), and
    unpickles what comes in. To be called in a replica before it is initialised."""
    address = build_address(ray.util.get_node_ip_address(), 0)

    def add_port(server: Any, _: str) -> int:
        return add_port_to_grpc_server(server, address)

    replica.add_port_to_grpc_server = add_port
