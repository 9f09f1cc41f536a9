"""`-v` reaches the command's own log, its actors and what Ray copies from them."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner

from actors.logs import PACKAGES
from cluster.job import cli
from cluster.session import ray_session
from staragents.base.environment import VERBOSE


@pytest.fixture(autouse=True)
def _restored(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv(VERBOSE, "0")
    names = (*PACKAGES, "httpx", "httpx2", "ray", "sentence_transformers")
    before = {name: logging.getLogger(name).level for name in names}
    factory = logging.getLogRecordFactory()
    yield
    logging.setLogRecordFactory(factory)
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


@pytest.mark.parametrize(("options", "details"), [((), False), (("-v",), True)])
def test_the_command_logs_details_only_on_request(options: tuple[str, ...], details: bool) -> None:
    assert CliRunner().invoke(cli, [*options, "completion", "bash"]).exit_code == 0
    assert (os.environ[VERBOSE] == "1") is details
    assert (logging.getLogger("cluster").level == logging.DEBUG) is details


@pytest.mark.parametrize(("copied", "environment"), [(False, None), (True, {"env_vars": {VERBOSE: "1"}})])
def test_a_job_on_a_cluster_tells_its_actors(
    copied: bool, environment: dict[str, Any] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(ray_session, "probe", lambda address: None)
    monkeypatch.setattr(ray_session.ray, "init", lambda **named: asked.append(named))
    ray_session.join("10.0.0.5:6379", copy_output=copied)
    assert (asked[0]["log_to_driver"], asked[0]["runtime_env"]) == (copied, environment)


def test_a_progress_bar_keeps_its_stream() -> None:
    """Its control codes must not pass through what makes the output of actors printable."""
    from cluster.terminal.copied_output import copied_output
    from cluster.terminal.score_progress import ScoreProgress

    stream = sys.stderr
    progress = ScoreProgress()
    with copied_output(stream):
        assert progress.console.file is stream
