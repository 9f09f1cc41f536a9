"""Runs a command of the experiments."""

from __future__ import annotations

import sys

import click

from staragents.base.errors import StarAgentsError


def run(command: click.Command) -> None:
    """Bad input is told in one line, with the exit code of `staragents`."""
    try:
        command()
    except StarAgentsError as error:
        click.echo(str(error), err=True)
        sys.exit(error.exit_code)
