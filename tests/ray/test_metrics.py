"""A real Ray head exports what the dashboard shows, while a fake run goes on."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from actors.metrics import METRICS

ROOT = Path(__file__).parents[2]
FAKE = "configs/fake.yaml"
# Ray sets these by itself on every series.
RAYS_OWN = {"Component", "NodeAddress", "SessionName", "Version", "WorkerId", "le"}


def dashboard_metrics() -> set[str]:
    text = (ROOT / "deploy/grafana/staragents.json").read_text()
    return set(re.findall(r"\bray_staragents_\w+", text))


def test_every_metric_of_the_dashboard_is_exported_while_a_run_goes_on(
    head: Any, tmp_path: Path, start: Callable[..., Any]
) -> None:
    job = start(
        "run", FAKE, f"output.dir={tmp_path / 'run'}", "seeds.limit=null", "run.admitted_seeds=4",
        "run.attempts=2", "run.max_error_rate=1", "models.writer.fake.latency_s=0.5",
        "models.writer.fake.failure_rate=0.4", "models.writer.fake.refusal_rate=0.3",
        **head.environment,
    )  # fmt: skip
    wanted = dashboard_metrics()
    assert len(wanted) > 10
    labels: dict[str, dict[str, set[str]]] = {}
    deadline = time.monotonic() + 150
    while wanted - set(labels) and time.monotonic() < deadline and job.process.poll() is None:
        time.sleep(2)
        for family in text_string_to_metric_families(head.scrape()):
            for sample in family.samples:
                if "staragents" in sample.name:
                    seen = labels.setdefault(sample.name, {})
                    for label, value in sample.labels.items():
                        seen.setdefault(label, set()).add(value)
    job.interrupt()
    code, output = job.wait()
    assert not wanted - set(labels), output
    assert code == 130, output
    check_labels(labels)


def check_labels(labels: dict[str, dict[str, set[str]]]) -> None:
    """Only what the code declares, with values of the config or of the code."""
    values: dict[str, set[str]] = {}
    for name, seen in labels.items():
        base = re.sub(r"_(total|bucket|sum|count)$", "", name.removeprefix("ray_"))
        declared = {"run", *METRICS[base].labels}
        found = {label for label in seen if label not in RAYS_OWN and not label.startswith("otel_scope")}
        assert found == declared, name
        for label in declared:
            values.setdefault(label, set()).update(seen[label])
    assert values["model"] == {"writer", "judge"}
    assert values["role"] == {"target", "larger"}
    assert values["stage"] <= {"rewrite", "answer", "score", "judge"}
    assert values["outcome"] <= {"selected", "not_selected", "rejected", "failed", "hit", "miss", "stored"}
    assert len(values["run"]) == 1


def test_the_head_and_its_metrics_listen_on_loopback_only(head: Any) -> None:
    assert head.targets()
    assert all(target.startswith("127.0.0.1:") for target in head.targets())


def test_a_local_ray_listens_on_loopback_only(tmp_path: Path) -> None:
    """In a process of its own: a Ray that is joined decides for itself."""
    import subprocess
    import sys

    program = """
import psutil
from cluster.demand import Demand
from cluster.ray_session import ray_session
with ray_session(Demand(())):
    for process in psutil.Process().children(recursive=True):
        for socket in process.net_connections("inet"):
            if socket.status == "LISTEN":
                print(process.name(), socket.laddr.ip)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True
    )
    addresses = [line.split()[-1] for line in done.stdout.splitlines()]
    assert addresses
    assert json.dumps(sorted({ip.removeprefix("::ffff:") for ip in addresses})) == '["127.0.0.1"]'
