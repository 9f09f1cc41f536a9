"""A run on a server that refuses much, with a proxy that leads nowhere: it says once what was found."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.support.paths import FAKE
from tests.support.server_modes import honest

NO_LOGPROBS = "This model does not support the 'logprobs' parameter."


class Particular(BaseHTTPRequestHandler):
    """A fake server below /v1 that takes neither a seed nor log-probabilities."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self.path.startswith("/v1/"):
            self.answer(404, {"detail": "Not Found"})
        elif "logprobs" in asked:
            self.answer(400, {"error": {"message": NO_LOGPROBS, "param": "logprobs"}})
        elif "seed" in asked:
            self.answer(422, {"detail": [{"loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}]})
        else:
            self.answer(200, honest(asked))

    def answer(self, status: int, body: dict[str, Any]) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Particular) as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{served.server_port}"
        served.shutdown()


def test_a_run_says_once_what_its_server_does_not_take(
    tmp_path: Path, server: str, start: Callable[..., Any]
) -> None:
    run = tmp_path / "run"
    job = start(
        "run", str(FAKE), f"output.dir={run}", "seeds.limit=6",
        "models.judge.kind=openai", "models.judge.model=m", f"models.judge.base_url={server}",
        HTTP_PROXY="http://127.0.0.1:9", http_proxy="http://127.0.0.1:9",
    )  # fmt: skip
    code, output = job.wait(timeout=240)
    assert code == 0, output
    said = "models.judge: no log-probabilities: verdicts use only their label"
    assert output.count(said) == 1, output
    assert NO_LOGPROBS in " ".join(output.split())
    summary = json.loads((run / "summary.json").read_text())
    assert summary["run"]["servers"]["judge"][:2] == [
        "no seed is sent: a repeated run gets other texts (the server: seed: Extra inputs are not permitted)",
        f"no log-probabilities: verdicts use only their label (the server: {NO_LOGPROBS})",
    ]
    assert summary["judge"]["judged"] > 0
