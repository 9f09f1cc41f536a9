"""A real Ray head exports what the dashboard shows during a fake run."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from actors.engines.openai_start import PROBE_TOKENS
from actors.metrics import METRICS
from staragents.run_directory.run_directory import RunDirectory
from tests.ray.conftest import KEY, KEY_NAME
from tests.support.file_text import text_of
from tests.support.paths import FAKE, ROOT

# Ray sets these by itself on every series.
RAYS_OWN = {"Component", "NodeAddress", "SessionName", "Version", "WorkerId", "le"}


def dashboard_metrics() -> set[str]:
    text = (ROOT / "deploy/grafana/staragents.json").read_text()
    return set(re.findall(r"\bray_staragents_\w+", text))


class Hostile(BaseHTTPRequestHandler):
    """A server that answers probes, then repeats the received key in its errors, as some do."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        greeted = asked["max_tokens"] <= PROBE_TOKENS[0]
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello"}}
        answer = {"id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]}
        error = {"error": {"message": f"Incorrect API key: {self.headers['Authorization']}"}}
        body = json.dumps(answer if greeted else error)
        self.send_response(200 if greeted else 400)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.fixture
def hostile() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Hostile) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()


def command_line(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def test_every_metric_of_the_dashboard_is_exported_during_a_run(
    head: Any, tmp_path: Path, start: Callable[..., Any], hostile: str
) -> None:
    """And the key of a hosted judge is in no file, no output and no argument of a process."""
    job = start(
        "run", str(FAKE), f"output.dir={tmp_path / 'run'}", "seeds.limit=null", "run.admitted_seeds=4",
        "run.attempts=2", "run.max_error_rate=1", "models.writer.fake.latency_s=0.5",
        "models.writer.fake.failure_rate=0.4", "models.writer.fake.refusal_rate=0.3",
        "models.judge.kind=openai", "models.judge.model=m", f"models.judge.base_url={hostile}",
        f"models.judge.api_key_env={KEY_NAME}", **head.environment, **{KEY_NAME: KEY},
    )  # fmt: skip
    wanted = dashboard_metrics()
    assert len(wanted) > 10
    labels: dict[str, dict[str, set[str]]] = {}
    seen_keys: list[str] = []
    deadline = time.monotonic() + 150
    while wanted - set(labels) and time.monotonic() < deadline and job.process.poll() is None:
        time.sleep(1)
        seen_keys += [
            line for process in psutil.process_iter() for line in command_line(process) if KEY in line
        ]
        for family in text_string_to_metric_families(head.scrape()):
            for sample in family.samples:
                if "staragents" in sample.name:
                    seen = labels.setdefault(sample.name, {})
                    for label, value in sample.labels.items():
                        seen.setdefault(label, set()).add(value)
    assert job.process.poll() is None, job.wait()[1]
    job.interrupt()
    code, output = job.wait()
    assert not wanted - set(labels), output
    assert code == 130, output
    check_labels(labels)
    assert seen_keys == [], "a key among the arguments of a process"
    assert KEY not in output
    run = RunDirectory(tmp_path / "run")
    failures = [c.error_message for seed in run.seeds() for c in seed if c.failed_stage == "judge"]
    assert any("Incorrect API key" in message for message in failures if message), failures
    folders = [tmp_path / "run", head.folder / "session_latest"]
    written = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert len(written) > 20
    assert any(path.suffix == ".parquet" for path in written)
    assert [path for path in written if KEY in text_of(path)] == []


def check_labels(labels: dict[str, dict[str, set[str]]]) -> None:
    """Only labels that the code declares, with values from the config or the code."""
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
    """In its own process: an existing Ray has its own settings."""
    import subprocess
    import sys

    program = """
import psutil
from cluster.session.demand import Demand
from cluster.session.ray_session import ray_session
with ray_session(Demand(())):
    for process in psutil.Process().children(recursive=True):
        try:
            sockets = process.net_connections("inet")
        except psutil.Error:
            continue  # ended meanwhile
        for socket in sockets:
            if socket.status == "LISTEN":
                print(process.name(), socket.laddr.ip)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    addresses = [line.split()[-1] for line in done.stdout.splitlines()]
    assert addresses
    assert json.dumps(sorted({ip.removeprefix("::ffff:") for ip in addresses})) == '["127.0.0.1"]'
