"""Lines for a terminal and for logs that can quote anything: nothing in them is obeyed."""

from __future__ import annotations

import logging
from typing import Any

import click

from staragents.printable import as_json, printable


def say(line: str, *, err: bool = False) -> None:
    """A line of plain text."""
    click.echo(printable(line), err=err)


def say_json(value: Any) -> None:
    """A value on one line, for machines."""
    click.echo(as_json(value))


class LogFormatter(logging.Formatter):
    """Messages quote servers, models and file names."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))
