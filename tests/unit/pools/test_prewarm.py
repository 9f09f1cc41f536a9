"""What a run requests from the autoscaler, and the withdrawal of the request."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.pools import prewarm
from cluster.session.demand import demand_of
from staragents.validation.loading import load_config
from tests.support.paths import ROOT


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[list[dict[str, float]]]:
    asked: list[list[dict[str, float]]] = []
    monkeypatch.setattr(prewarm, "request_resources", lambda bundles: asked.append(bundles))
    return asked


def demand(*overrides: str) -> Any:
    return demand_of(load_config(ROOT / "configs/fake.yaml", overrides))


def test_a_bundle_is_requested_for_every_replica_until_they_are_up(
    asked: list[list[dict[str, float]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    needs = demand("models.writer.num_gpus=2", "models.writer.min_replicas=2", "models.judge.num_gpus=1")
    with prewarm.nodes_requested(needs):
        assert asked == [[{"GPU": 2.0}] * 2 + [{"GPU": 1.0}]]
    assert asked[1:] == [[]]


def test_a_replica_on_several_nodes_needs_no_node_with_all_its_gpus(
    asked: list[list[dict[str, float]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    settings = ("nodes=2", "num_gpus=4", "resources={big: 0.1}")
    with prewarm.nodes_requested(demand(*(f"models.writer.{setting}" for setting in settings))):
        assert asked == [[{"GPU": 1.0, "big": 0.1}] * 4]


def test_the_request_is_withdrawn_when_a_pool_does_not_start(
    asked: list[list[dict[str, float]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(ZeroDivisionError), prewarm.nodes_requested(demand("models.writer.num_gpus=2")):
        raise ZeroDivisionError
    assert asked[-1] == []


def test_a_local_ray_has_no_autoscaler_to_ask(
    asked: list[list[dict[str, float]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with prewarm.nodes_requested(demand("models.writer.num_gpus=2")):
        pass
    assert asked == []
