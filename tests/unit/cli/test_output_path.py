"""What a command writes goes to a path: `~` is the home folder, and an address is refused."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from cluster.cli.command_group import COMMANDS, CommandGroup
from cluster.cli.output_path import OutputPath
from staragents.base.errors import BadInput

CONFIG, RUN = "config", "run_dir"
READ = {
    *((command, CONFIG) for command in ("run", "preview", "validate", "doctor", "plan", "compare", "repair")),
    *((command, RUN) for command in ("repair", "report", "diagnose", "explain", "export", "memory")),
    *((command, "run") for command in ("status", "scale", "change")),
    ("plan", "like"),
    ("score", "data"),
    ("evaluate", "tasks_folder"),
}
"""Options and arguments for what a command reads."""


def paths(command: str) -> list[click.Parameter]:
    context = click.Context(click.Command("staragents"))
    found = CommandGroup().get_command(context, command)
    assert found is not None
    return [one for one in found.params if isinstance(one.type, click.Path)]


PATHS = [(command, one) for command in COMMANDS for one in paths(command)]
WRITTEN = [(command, one) for command, one in PATHS if isinstance(one.type, OutputPath)]


def test_a_path_that_is_not_read_is_of_the_type_for_outputs() -> None:
    assert {(command, one.name) for command, one in PATHS if (command, one) not in WRITTEN} == READ


@pytest.mark.parametrize(("command", "param"), WRITTEN, ids=lambda one: getattr(one, "name", one))
def test_home_is_expanded_and_an_address_refused(
    command: str, param: click.Parameter, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    context = click.Context(click.Command(command))
    assert param.type.convert("~/x.jsonl", param, context) == tmp_path / "x.jsonl"
    with pytest.raises(BadInput, match=r"^(-|FILE).*: expected a path on .* got the address s3://bucket/x$"):
        param.type.convert("s3://bucket/x", param, context)
