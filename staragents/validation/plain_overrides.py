"""Overrides of the default config, for commands that take settings but no config file."""

from __future__ import annotations

from collections.abc import Sequence

from staragents.base.errors import BadInput
from staragents.config import Config
from staragents.config.tree import as_dict, escaped
from staragents.validation.config_builder import typed
from staragents.validation.merging import read_overrides
from staragents.validation.tree_merge import Tree, merge
from staragents.validation.value_checks import out_of_bounds


def plain_overrides(
    overrides: Sequence[str], problems: list[str], below: Config | None = None
) -> tuple[Config, Tree]:
    """The config `below`, by default the default one, with `a.b=c` overrides, and the overrides alone. Only
    types and ranges are checked, as no other section need be complete.

    Raises BadInput with `problems` and those of the overrides.
    """
    tree = read_overrides(overrides, problems)
    config = typed(merge(escaped(as_dict(below)), tree) if below is not None else tree, problems)
    problems += out_of_bounds(config)
    if problems:
        raise BadInput(problems)
    return config, tree
