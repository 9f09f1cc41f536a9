"""The Grafana dashboard and the Prometheus config agree with the code."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from ray.util.metrics import Counter, Histogram

from actors.metrics import METRICS, ended
from staragents.base.records import MISALIGNED, Candidate
from staragents.base.statistics import relative_entropy
from tests.support.paths import ROOT

DASHBOARD = json.loads((ROOT / "deploy/grafana/staragents.json").read_text())


def panel_expressions() -> Iterator[str]:
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            yield target["expr"]


def expressions() -> Iterator[str]:
    yield from panel_expressions()
    for variable in DASHBOARD["templating"]["list"]:
        yield variable["query"]


def exported_names() -> dict[str, tuple[str, ...]]:
    """Metric names that Prometheus sees, with labels."""
    return {
        exported: ("run", "le", *spec.labels) for name, spec in METRICS.items() for exported in exports(name)
    }


def exports(name: str) -> set[str]:
    """The names under which Prometheus sees one metric."""
    suffixes = {Counter: ["_total"], Histogram: ["_bucket", "_sum", "_count"]}
    return {f"ray_{name}{suffix}" for suffix in suffixes.get(METRICS[name].kind, [""])}


def test_every_metric_and_label_of_the_dashboard_exists() -> None:
    names = exported_names()
    for expression in expressions():
        for name in re.findall(r"\bray_staragents_\w+", expression):
            assert name in names, expression
            for group in re.findall(r"by \(([^)]*)\)", expression):
                assert {label.strip() for label in group.split(",")} <= set(names[name]), expression


def test_the_dashboard_shows_every_metric() -> None:
    shown = {name for panel in panel_expressions() for name in re.findall(r"\bray_staragents_\w+", panel)}
    for name in METRICS:
        assert exports(name) & shown, f"no panel for {name}"


def test_vllm_metrics_of_the_dashboard_exist_in_vllm() -> None:
    spec = find_spec("vllm")
    if spec is None or spec.origin is None:
        pytest.skip("vllm is not installed")
    source = (Path(spec.origin).parent / "v1/metrics/loggers.py").read_text()
    exist = {f"ray_vllm_{name}" for name in re.findall(r'name="vllm:(\w+)"', source)}
    for expression in expressions():
        for name in re.findall(r"\bray_vllm_\w+", expression):
            assert name.removesuffix("_total") in exist, name


def test_panels_have_unique_ids_and_do_not_overlap() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        covered = {
            (x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])
        }
        assert not covered & cells
        cells |= covered


def test_prometheus_finds_nodes_through_rays_file() -> None:
    from ray._private.ray_constants import PROMETHEUS_SERVICE_DISCOVERY_FILE

    config = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    files = config["scrape_configs"][0]["file_sd_configs"][0]["files"]
    assert [Path(file).name for file in files] == [PROMETHEUS_SERVICE_DISCOVERY_FILE]


@pytest.mark.parametrize(
    ("fields", "stage", "outcome"),
    [
        ({"failed_stage": "answer"}, "answer", "failed"),
        ({"reject_reason": "rewrite_no_change"}, "rewrite", "rejected"),
        ({"reject_reason": "cut_off"}, "answer", "rejected"),
        ({"reject_reason": MISALIGNED}, "score", "rejected"),
        ({"selected": True}, "judge", "selected"),
        ({}, "judge", "not_selected"),
    ],
)
def test_every_candidate_has_an_outcome(fields: dict[str, Any], stage: str, outcome: str) -> None:
    candidate = Candidate("s", "c", "keep+direct", "keep", "direct", 1.0, (), **fields)
    assert ended(candidate) == (stage, outcome)


def test_entropy_is_one_for_a_uniform_draw_and_zero_for_a_sure_one() -> None:
    assert relative_entropy([0.25] * 4) == pytest.approx(1.0)
    assert relative_entropy([1.0, 0.0]) == 0.0
    assert relative_entropy([1.0]) == 0.0
    assert relative_entropy([0.9, 0.1]) == pytest.approx(0.469, abs=1e-3)
    assert relative_entropy([0.5, 0.5, 0.0, 0.0]) == pytest.approx(0.5)
