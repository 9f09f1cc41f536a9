"""Log lines of the command and of actors: their level, their stream, and the steps of a run."""

from __future__ import annotations

import io
import logging
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors import checkpoints
from actors.logs import PACKAGES, LogFormatter, LogHandler, configure_logs
from staragents.base.environment import set_verbose, verbose
from staragents.validation.loading import load_config
from tests.support.local_run import drained_run, local_run
from tests.support.paths import FAKE

HOSTILE = "[red]x[/] :boom: \x1b[2J\x9b31m\x07\u202eevil"


@pytest.fixture
def _levels() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in PACKAGES]
    before = [logger.level for logger in loggers]
    factory = logging.getLogRecordFactory()
    yield
    logging.setLogRecordFactory(factory)
    for logger, level in zip(loggers, before, strict=True):
        logger.setLevel(level)


def test_log_lines_escape_what_they_quote() -> None:
    record = logging.LogRecord("x", logging.WARNING, "", 0, "server said %s", (HOSTILE,), None)

    assert LogFormatter().format(record) == "server said [red]x[/] :boom: ␛[2J\ufffd31m␇\ufffdevil"


def test_lines_go_to_the_stream_that_is_standard_error_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """A live display replaces it after logging was configured."""
    handler, shown = LogHandler(), io.StringIO()
    monkeypatch.setattr(sys, "stderr", shown)
    handler.handle(logging.LogRecord("x", logging.INFO, "", 0, "a line", (), None))
    assert shown.getvalue().endswith("INFO x: a line\n")


@pytest.mark.usefixtures("_levels")
@pytest.mark.parametrize(("variable", "level"), [("", logging.INFO), ("1", logging.DEBUG)])
def test_the_command_decides_how_much_an_actor_logs(
    variable: str, level: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STARAGENTS_VERBOSE", variable)
    configure_logs()
    assert logging.getLogger("actors.coordinator").getEffectiveLevel() == level
    assert logging.getLogger("some.library").getEffectiveLevel() == logging.WARNING


def test_verbose_is_inherited_through_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STARAGENTS_VERBOSE", "0")
    assert not verbose()
    set_verbose()
    assert verbose()


def told(caplog: pytest.LogCaptureFixture, level: int = logging.INFO) -> list[str]:
    """The lines of the coordinator's modules, without paths and times."""
    lines = [
        record.getMessage()
        for record in caplog.records
        if record.levelno == level and record.name in ("actors.coordinator", "actors.checkpoints")
    ]
    caplog.clear()
    return [re.sub(r" (in|after) [\d.]+ s\b|: /.*| /\S+", "", line) for line in lines]


async def test_a_run_tells_its_steps_one_line_each(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    few = ("seeds.limit=30", "run.admitted_seeds=4", "run.checkpoint_s=0.001")
    config = load_config(FAKE, [f"output.dir={tmp_path / 'run'}", *few])

    await drained_run(config, 5)
    first = told(caplog)
    assert first[:2] == [
        "starting: 0 of 30 seeds are committed, 4 more are drawn, 0 of them already finished",
        "first seed committed",
    ]
    assert re.fullmatch(r"checkpoint after 1 seeds: \d+ bytes of candidates", first[2])
    assert re.fullmatch(r"draining: \d+ seeds in flight are finished and saved", first[3])
    assert re.fullmatch(r"\d+ of 30 seeds are committed", first[4])
    assert first[5:] == ["results written"], "further checkpoints are details"

    monkeypatch.setattr(checkpoints, "LOGGED_EVERY_S", 0.0)
    await local_run(config)
    again = told(caplog)
    assert re.match(r"resuming: \d+ of 30 seeds are committed, 4 more are drawn, 0 of them", again[0])
    assert sum(line.startswith("checkpoint") for line in again) > 1
    assert again[-2:] == ["30 of 30 seeds are committed", "results written"]
