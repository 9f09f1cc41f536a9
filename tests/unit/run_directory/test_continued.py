"""What the same command keeps of changes to a run, and what another command decides."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from staragents.base.errors import BadInput
from staragents.config import Config
from staragents.data.seed_file import SeedFile
from staragents.run.inspection import inspect
from staragents.run.repair import repair
from staragents.run_directory.continued import Continued
from staragents.run_directory.resume_check import check_resume
from staragents.run_directory.run_directory import RunDirectory
from staragents.run_directory.run_state import first_state
from staragents.validation.loading import load_config, with_overrides
from tests.support.paths import FAKE

BRIEF = "agents.response.brief={model: writer, prompt: direct}"
TERSE = "agents.response.terse={model: writer, prompt: direct}"

Command = Callable[..., Config]


@pytest.fixture
def command(tmp_path: Path) -> Command:
    always = [f"output.dir={tmp_path / 'run'}", "models.writer.price_in=1"]
    return lambda *overrides: load_config(FAKE, [*always, *overrides])


def changed(given: Config, *overrides: str) -> Config:
    """A run that `staragents change` has changed while it was running, and that was then killed."""
    run, scan = RunDirectory(given.output.dir), SeedFile(given.seeds).scan()
    run.create(given, scan)
    config = with_overrides(given, overrides)
    run.create(config, scan)
    run.write_state(first_state(config, scan, given))
    return config


def resumed(config: Config) -> Continued:
    found = check_resume(RunDirectory(config.output.dir), config)
    assert found is not None
    return found


def test_a_run_that_nobody_changed_keeps_its_command(command: Command) -> None:
    given = command()
    assert changed(given) == given
    assert "given" not in (RunDirectory(given.output.dir).state() or {})
    assert resumed(command()) == Continued(given, ())


def test_the_same_command_keeps_agents_and_settings_that_were_changed(command: Command) -> None:
    run = changed(
        command(), "models.second={kind: fake, price_in: 2}",
        "agents.response.brief={model: second, prompt: direct}", "agents.retired=[deepen]", "run.budget=80",
    )  # fmt: skip
    found = resumed(command())
    assert found.config == run
    assert list(found.config.pairs) == list(run.pairs)
    assert set(found.kept) == {"models.second", "agents.response.brief", "agents.retired", "run.budget"}


def test_a_setting_that_the_command_has_changed_since_follows_the_command(command: Command) -> None:
    changed(command("run.max_tokens=100"), BRIEF, "run.max_tokens=500", "run.budget=80", "run.patience=9")
    found = resumed(command("run.max_tokens=100", "run.budget=90", "run.attempts=7"))
    assert set(found.kept) == {"agents.response.brief", "run.max_tokens", "run.patience"}
    run = found.config.run
    assert (run.max_tokens, run.budget, run.patience, run.attempts) == (500, 90, 9, 7)


def test_a_command_that_adds_an_agent_too_has_both(command: Command) -> None:
    changed(command(), BRIEF)
    found = resumed(command(TERSE))
    assert found.kept == ("agents.response.brief",)
    assert list(found.config.agents.response)[-2:] == ["brief", "terse"]


def test_a_command_that_has_the_agent_by_now_keeps_nothing(command: Command) -> None:
    changed(command(), BRIEF)
    assert resumed(command(BRIEF)).kept == ()
    with pytest.raises(BadInput, match=r"changed: agents\.response\.brief\.temperature\. "):
        resumed(command(BRIEF, "agents.response.brief.temperature=0.1"))


def test_only_what_differs_besides_is_refused(command: Command) -> None:
    changed(command(), BRIEF, "run.budget=80")
    with pytest.raises(BadInput, match=r"changed: run\.seed\. "):
        resumed(command("run.seed=5"))


def test_pairs_that_were_added_stay(command: Command) -> None:
    pairs = ["evolution.draws=1", "agents.pairs=[deepen+direct]"]
    changed(command(*pairs), "agents.pairs=[deepen+direct, broaden+direct]")
    found = resumed(command(*pairs))
    assert found.kept == ("agents.pairs",)
    assert found.config.agents.pairs == ["deepen+direct", "broaden+direct"]


def test_pairs_that_were_added_on_both_sides_are_united(command: Command) -> None:
    def pairs(*names: str) -> list[str]:
        return ["evolution.draws=1", f"agents.pairs=[{', '.join(names)}]"]

    changed(command(*pairs("deepen+direct")), *pairs("deepen+direct", "broaden+direct"))
    found = resumed(command(*pairs("keep+direct", "deepen+direct")))
    assert found.kept == ("agents.pairs",)
    assert found.config.agents.pairs == ["deepen+direct", "broaden+direct", "keep+direct"]


def test_what_a_command_no_longer_has_is_refused(command: Command) -> None:
    changed(command(BRIEF), TERSE)
    with pytest.raises(BadInput, match=r"changed: agents\.response\.brief\.model, .*temperature"):
        resumed(command())


def test_a_pair_that_a_command_no_longer_has_is_refused(command: Command) -> None:
    both = "agents.pairs=[deepen+direct, broaden+direct]"
    changed(command("evolution.draws=1", both))
    with pytest.raises(BadInput, match=r"changed: agents\.pairs\. "):
        resumed(command("evolution.draws=1", "agents.pairs=[deepen+direct]"))


def test_a_repair_keeps_both_configs(command: Command) -> None:
    run = changed(command(), BRIEF, "run.budget=80")
    folder = RunDirectory(run.output.dir)
    (folder.path / "candidates" / "part-000000.parquet").write_bytes(b"torn")
    assert inspect(folder)
    with folder.claimed():
        done = repair(folder)
    assert done.config == command()
    assert resumed(done.config).config == run
    saved = folder.state()
    assert saved is not None
    assert saved["given"]["run"]["budget"] is None
