"""Addresses that may get Ray's token, and how soon an address without Ray is given up."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import grpc
import pytest

from actors.actor_names import coordinator_name
from cluster.driver.running_job import joined
from cluster.session import ray_session
from cluster.session.ray_session import join
from staragents.base.errors import RunFailed
from staragents.run_directory.run_directory import SESSION


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of a run that claims to be on this machine."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    (tmp_path / SESSION).touch(mode=0o600)
    announce(tmp_path, "127.0.0.1:1")
    return tmp_path


NAME = "5f3a0c1e"


def announce(run: Path, address: str) -> None:
    session = {"name": NAME, "address": address, "loopback": True, "token": False}
    (run / SESSION).write_text(json.dumps(session))


def refused(run: Path) -> str:
    """Returns the reason; no connection is made."""
    with pytest.raises(RunFailed) as error, joined(str(run)):
        pass
    return str(error.value)


@pytest.fixture
def joins(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    addresses: list[str] = []

    def noted(address: str) -> None:
        addresses.append(address)
        raise RunFailed("noted")

    monkeypatch.setattr("cluster.session.ray_session.join", noted)
    return addresses


def test_a_killed_run_is_not_running(run: Path) -> None:
    """Nothing listens on port 1."""
    assert refused(run) == f"{run} is not running: its Ray is gone; run the same command to resume"


@pytest.mark.parametrize("address", ["127.0.0.1:6379", "[::1]:6379", "localhost:6379", "127.0.0.2:1"])
def test_a_run_on_this_machine_is_joined(run: Path, joins: list[str], address: str) -> None:
    announce(run, address)
    assert refused(run) == "noted"
    assert joins == [address]


@pytest.mark.parametrize("spelling", ["{run}", "{run}/../{run.name}", "{link}"])
def test_a_run_is_asked_for_by_the_name_that_it_announced(
    run: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory, spelling: str
) -> None:
    link = tmp_path_factory.mktemp("links") / "link"
    link.symlink_to(run)
    actors: list[str] = []
    monkeypatch.setattr("cluster.session.ray_session.join", lambda address: None)
    monkeypatch.setattr("ray.get_actor", lambda name, namespace: actors.append(name))
    monkeypatch.setattr("ray.shutdown", lambda: None)
    with joined(spelling.format(run=run, link=link)):
        assert actors == [coordinator_name(NAME)]


@pytest.mark.parametrize(
    "address", ["10.0.0.5:6379", "evil.example:6379", "127.0.0.1.evil.example:1", "0.0.0.0:1", "", "x" * 5000]
)
def test_an_address_on_another_machine_must_come_from_the_user(
    run: Path, joins: list[str], address: str
) -> None:
    announce(run, address)
    line = refused(run)
    assert "set RAY_ADDRESS to it, if you trust that cluster" in line
    assert len(line) < 500
    assert joins == []


def test_ray_address_is_trusted(run: Path, joins: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    announce(run, "evil.example:6379")
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.5:6379")
    refused(run)
    assert joins == ["10.0.0.5:6379"]


@pytest.mark.parametrize("permissions", [0o660, 0o606, 0o666])
def test_a_file_that_others_can_write_is_not_trusted(run: Path, joins: list[str], permissions: int) -> None:
    (run / SESSION).chmod(permissions)
    assert "expected a file that you own and only you can write; set RAY_ADDRESS" in refused(run)
    assert joins == []


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_somebody_elses_file_is_not_trusted(run: Path, joins: list[str]) -> None:
    os.chown(run / SESSION, 12345, 12345)
    assert "expected a file that you own" in refused(run)
    assert joins == []


def test_a_link_and_a_pipe_are_not_followed(run: Path, joins: list[str]) -> None:
    (run / SESSION).rename(run / "elsewhere.json")
    (run / SESSION).symlink_to(run / "elsewhere.json")
    assert "set RAY_ADDRESS to the cluster" in refused(run)
    (run / SESSION).unlink()
    os.mkfifo(run / SESSION, 0o600)
    assert "expected a file that you own" in refused(run)
    assert joins == []


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"address": 1}', "\x00", '{"address": "127.0.0.1:1"'])
def test_a_damaged_file_is_not_trusted(run: Path, joins: list[str], text: str) -> None:
    (run / SESSION).write_text(text)
    assert "damaged; set RAY_ADDRESS" in refused(run)
    assert joins == []


class Page(BaseHTTPRequestHandler):
    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture
def listeners(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Addresses with a listener that is not Ray."""
    monkeypatch.setattr(ray_session, "PROBE_TIMEOUT_S", 1.0)
    page = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    Thread(target=page.serve_forever, daemon=True).start()
    other = grpc.server(ThreadPoolExecutor(1))
    port = other.add_insecure_port("127.0.0.1:0")
    other.start()
    with socket.create_server(("127.0.0.1", 0)) as silent, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        yield {
            "a silent listener": f"127.0.0.1:{silent.getsockname()[1]}",
            "a closed port": f"127.0.0.1:{closed.getsockname()[1]}",
            "a web server": f"127.0.0.1:{page.server_port}",
            "another gRPC server": f"127.0.0.1:{port}",
        }
    page.shutdown()
    page.server_close()
    other.stop(None)


@pytest.mark.parametrize(
    "what", ["a silent listener", "a closed port", "a web server", "another gRPC server"]
)
@pytest.mark.timeout(60)
def test_an_address_without_ray_is_given_up_before_ray_is_asked(
    listeners: dict[str, str], what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray retries for minutes, and a probe without a timeout would wait for a silent listener forever."""
    asked: list[Any] = []
    monkeypatch.setattr("ray.init", lambda **settings: asked.append(settings))
    with pytest.raises(RunFailed, match=f"RAY_ADDRESS: expected a Ray that answers at {listeners[what]}: "):
        join(listeners[what])
    assert asked == []


@pytest.mark.parametrize(
    "address",
    ["ray://127.0.0.1:10001", "127.0.0.1", "127.0.0.1:", ":6379", "host:port", "nowhere.invalid:6379", "a:0",
     "127.0.0.1:99999", "http://127.0.0.1:8265", "127.0.0.1:6379/x", "x y:1", "[::1:5", "\x00:5"],
)  # fmt: skip
def test_an_invalid_address_is_given_up_immediately(address: str) -> None:
    with pytest.raises(RunFailed, match="RAY_ADDRESS: expected a Ray that answers at ") as error:
        join(address)
    assert "\n" not in str(error.value)
