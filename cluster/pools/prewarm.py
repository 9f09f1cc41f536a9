"""Request nodes for all pools together: an autoscaler would otherwise see one actor after the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ray.autoscaler.sdk import request_resources

from actors.clean_up import quietly
from cluster.session.demand import Demand
from staragents.base.environment import ray_address


@contextmanager
def nodes_requested(demand: Demand) -> Iterator[None]:
    """Ask the cluster's autoscaler for nodes for every pool at its minimum size, until the pools are up.

    Ray's `request_resources` outlives its driver and keeps nodes from being removed, so the request is
    withdrawn once the pools are up; their actors then hold the nodes. A cluster has only one such request: a
    second job's replaces it, which costs the first job its head start and nothing else.
    """
    if not ray_address():
        yield
        return
    bundles = [bundle for pool in demand.pools for bundle in pool.bundles]
    quietly(lambda: request_resources(bundles=bundles))
    try:
        yield
    finally:
        quietly(lambda: request_resources(bundles=[]))
