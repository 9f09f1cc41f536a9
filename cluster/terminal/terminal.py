"""Print untrusted text to terminals, with escape sequences made harmless."""

from __future__ import annotations

from typing import Any

import click

from staragents.text.printable import as_json, printable


def say(line: str, *, err: bool = False) -> None:
    """Print a line of plain text."""
    click.echo(printable(line), err=err)


def say_json(value: Any) -> None:
    """Print a value as JSON on one line."""
    click.echo(as_json(value))
