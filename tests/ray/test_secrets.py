"""A whole run with servers that repeat their keys: no secret in any file, log, output or command line.

`pytest -s` prints what was searched.
"""

from __future__ import annotations

import ipaddress
import json
import os
import shutil
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest

from actors.engines.openai_start import PROBE_TOKENS
from staragents.run_directory.run_directory import RunDirectory
from tests.support.file_text import text_of

FAKE = "configs/fake.yaml"
JUDGE_KEY, MEMORY_KEY = "planted-judge-key-0001", "planted/memory+key=0002"
PASSWORD, TOKEN = "planted-fsspec-password-0003", "planted0ray0token00000000000000004"
SECRETS = (JUDGE_KEY, MEMORY_KEY, PASSWORD, TOKEN)


class Repeating(BaseHTTPRequestHandler):
    """Repeats its key in every error; answers the probe of a judge, so that its pool starts."""

    def answer(self) -> None:
        asked = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if json.loads(asked or b"{}").get("max_tokens", 99) <= PROBE_TOKENS[0]:
            choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hi"}}
            self.reply(200, {"id": "1", "object": "chat.completion", "created": 0, "model": "m",
                             "choices": [choice]})  # fmt: skip
        else:
            got = f"{self.headers.get('Authorization')}, {self.headers.get('api-key')}"
            self.reply(400 if "Authorization" in self.headers else 500, {"error": {"message": f"no: {got}"}})

    do_GET = do_POST = do_PUT = do_DELETE = answer

    def reply(self, status: int, value: dict[str, Any]) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(value).encode())

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Repeating) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def ray_folder() -> Iterator[Path]:
    """Short, because a socket's path may have at most 107 characters."""
    folder = Path(tempfile.mkdtemp(prefix="sa-", dir="/tmp"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


class Search:
    """All checked files, command lines and listening sockets, and their problems."""

    def __init__(self) -> None:
        self.searched: dict[str, set[str]] = {"files": set(), "command lines": set(), "sockets": set()}
        self.found: set[str] = set()
        self._changed: dict[Path, int] = {}

    def files(self, folder: Path) -> None:
        for path in folder.rglob("*"):
            try:
                changed = path.stat().st_mtime_ns
                if not path.is_file() or self._changed.get(path) == changed:
                    continue
                self._changed[path] = changed
                text = text_of(path)
            except OSError:
                continue  # removed meanwhile
            self.searched["files"].add(str(path))
            self.text(str(path), text)

    def processes(self, processes: list[psutil.Process]) -> None:
        for process in processes:
            try:
                line = " ".join(process.cmdline())
                sockets = [one for one in process.net_connections() if one.status == psutil.CONN_LISTEN]
            except psutil.Error:
                continue
            self.searched["command lines"].add(line[:100])
            self.text(f"process {line[:60]}", line)
            for one in sockets:
                address = ipaddress.ip_address(one.laddr.ip)
                mapped = getattr(address, "ipv4_mapped", None) or address
                self.searched["sockets"].add(f"{one.laddr.ip} of {line[:40]}")
                if not mapped.is_loopback:
                    self.found.add(f"{line[:60]} listens on {one.laddr.ip}:{one.laddr.port}")

    def text(self, where: str, text: str) -> None:
        self.found |= {f"{secret[:20]}... in {where}" for secret in SECRETS if secret in text}

    def print(self) -> None:
        for what, paths in self.searched.items():
            print(f"searched {len(paths)} {what}:", *sorted(paths), sep="\n  ")


def test_no_secret_leaks_and_no_socket_listens_to_others(
    tmp_path: Path, ray_folder: Path, server: str, start: Callable[..., Any]
) -> None:
    token = tmp_path / "token"
    token.write_text(TOKEN)
    token.chmod(0o644)
    run, search = tmp_path / "run", Search()
    environment = {
        "STARAGENTS_TEST_PLAIN": JUDGE_KEY, "STARAGENTS_TEST_API_KEY": MEMORY_KEY,
        "FSSPEC_S3_SECRET": PASSWORD, "RAY_AUTH_TOKEN_PATH": str(token), "RAY_TMPDIR": str(ray_folder),
        "RAY_ADDRESS": "",
    }  # fmt: skip
    job = start(
        "-v", "run", FAKE, f"output.dir={run}", "seeds.limit=8", "run.attempts=2", "run.max_error_rate=1",
        "models.judge.kind=openai", "models.judge.model=m", f"models.judge.base_url={server}/v1",
        "models.judge.api_key_env=STARAGENTS_TEST_PLAIN", "models.writer.fake.latency_s=0.5",
        f"memory.url={server}", "memory.api_key_env=STARAGENTS_TEST_API_KEY", **environment,
    )  # fmt: skip
    deadline = time.monotonic() + 400
    while job.process.poll() is None and time.monotonic() < deadline:
        time.sleep(1)
        search.processes(job.processes())
        search.files(ray_folder)
        for folder in ray_folder.glob("*"):
            assert stat.S_IMODE(folder.lstat().st_mode) == 0o700
    if job.process.poll() is None:
        job.interrupt()
    code, output = job.wait()
    search.files(run)
    search.text("the output", output)
    search.print()
    assert code == 0, output
    assert search.found == set()
    assert all(len(paths) > 5 for paths in search.searched.values())
    assert any(path.endswith(".parquet") for path in search.searched["files"])
    messages = [c.error_message for seed in RunDirectory(run).seeds() for c in seed if c.error_message]
    assert any("no: Bearer ***" in message for message in messages), messages
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    left = [path for path in ray_folder.rglob("*") if path.is_dir()]
    assert [path.name for path in left] == [f"staragents-{os.getuid()}"], "the session's folder stays behind"
