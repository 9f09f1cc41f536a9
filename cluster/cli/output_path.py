"""The type of options for what a command writes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from staragents.base.errors import BadInput
from staragents.files.folders import address_problem


class OutputPath(click.Path):
    """A path, in which `~` is the home folder: a shell does not expand it in `--output=~/x`. An address such
    as s3://bucket is bad input: as a path, it would be a folder of this name."""

    def __init__(self, dir_okay: bool = True) -> None:
        super().__init__(path_type=Path, dir_okay=dir_okay)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        path = os.path.expanduser(value)
        if problem := address_problem(path):
            raise BadInput(f"{_name(param)}: {problem}")
        return super().convert(path, param, ctx)


def _name(param: click.Parameter | None) -> str:
    """As messages name an option: `-o`, or a long name; an argument is in capitals."""
    if isinstance(param, click.Option):
        return param.opts[0]
    return "path" if param is None else param.human_readable_name
