"""What a command writes goes to a path: `~` is the home folder, and an address is refused."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from cluster.cli.command_group import COMMANDS, CommandGroup
from cluster.cli.output_path import OutputPath
from staragents.base.errors import BadInput


def written(command: str) -> list[click.Parameter]:
    context = click.Context(click.Command("staragents"))
    found = CommandGroup().get_command(context, command)
    assert found is not None
    return [one for one in found.params if isinstance(one.type, OutputPath)]


WRITTEN = [(command, one) for command in COMMANDS for one in written(command)]


def test_every_command_that_writes_a_file_has_such_an_option() -> None:
    named = {(command, one.name) for command, one in WRITTEN}
    assert named == {
        ("init", "file"),
        ("score", "output"),
        ("score", "histogram"),
        ("score", "cache"),
        ("export", "output"),
        ("compare", "output"),
        ("evaluate", "output"),
        ("memory", "export"),
    }


@pytest.mark.parametrize(("command", "param"), WRITTEN, ids=lambda one: getattr(one, "name", one))
def test_home_is_expanded_and_an_address_refused(
    command: str, param: click.Parameter, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    context = click.Context(click.Command(command))
    assert param.type.convert("~/x.jsonl", param, context) == tmp_path / "x.jsonl"
    with pytest.raises(BadInput, match=r"^(-|FILE).*: expected a path on .* got the address s3://bucket/x$"):
        param.type.convert("s3://bucket/x", param, context)
