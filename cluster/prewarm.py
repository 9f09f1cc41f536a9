"""Nodes for all pools at once: without being told, an autoscaler hears of them one actor after the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ray.autoscaler.sdk import request_resources

from cluster.clean_up import quietly
from cluster.demand import Demand
from staragents.environment import ray_address


@contextmanager
def nodes_requested(demand: Demand) -> Iterator[None]:
    """Ask the cluster's autoscaler for nodes for every pool at its smallest size, until they are up.

    A request outlives its driver and forbids nodes to go (`request_resources` of Ray), so it is taken back as
    soon as the pools are up: from then on the actors themselves hold their nodes. A cluster has one such
    request; another job's replaces it, which costs that job's head start and nothing else.
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
