"""Add a second node on this machine to the Ray at RAY_ADDRESS, until it is stopped or its raylet dies.

    python deploy/second_node.py '{"scorers": 4}' FOLDER

`ray start` gives a second node an address that is reachable from the network, and opens its ports on all
interfaces (ray 2.60). This script uses only loopback.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time

# Read at import.
os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"

from ray._private.authentication.authentication_token_setup import ensure_token_if_auth_enabled
from ray._private.node import Node
from ray._private.parameter import RayParams


def main() -> None:
    resources, folder = json.loads(sys.argv[1]), sys.argv[2]
    ensure_token_if_auth_enabled(create_token_if_missing=False)
    params = RayParams(
        gcs_address=os.environ["RAY_ADDRESS"],
        node_ip_address="127.0.0.1",
        num_cpus=4,
        resources=resources,
        temp_dir=folder,
        object_store_memory=200_000_000,
    )
    node = Node(params, head=False, shutdown_at_exit=False, connect_only=False)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    try:
        while not node.dead_processes():
            time.sleep(1)
    finally:
        node.kill_all_processes(check_alive=False)


if __name__ == "__main__":
    main()
