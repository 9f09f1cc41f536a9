"""Merges settings that are not converted to the config's types yet."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from dataclasses import is_dataclass
from typing import Any

from staragents.config import Config
from staragents.config.tree import declared, declared_below, entry_kind

Tree = dict[str, Any]


def merge(below: Tree, above: Tree, hint: Any = Config) -> Tree:
    """Merge `above` over `below`, recursively. `hint`: the type of the section that they are.

    An empty section in `above` changes nothing, as one whose lines are all comments. `null` removes an entry,
    such as a model or an agent. A mapping whose keys are not ours, such as `engine_args`, is cleared by
    `null` and by `{}`.
    """
    merged = dict(below)
    for name, value in above.items():
        old, kind = merged.get(name), _hint_of(hint, name)
        if value is None and old is not None and entry_kind(hint):
            del merged[name]
        elif value is None and _is_free(kind):
            merged[name] = {}
        elif isinstance(old, dict) and (isinstance(value, dict) or (value is None and _is_section(kind))):
            merged[name] = {} if value == {} and not _is_section(kind) else merge(old, value or {}, kind)
        else:
            merged[name] = value
    return merged


def emptied(tree: Tree, hint: Any = Config) -> Iterator[str]:
    """A line for every section that an override sets to null: a section has no value without settings."""
    for name, value in tree.items():
        kind = _hint_of(hint, name)
        if value is None and _is_section(kind) and not entry_kind(hint):
            instead = ""
            if entry_kind(kind):
                instead = f"; {name}.NAME=null removes an entry"
            elif "enabled" in declared(kind):
                instead = f"; {name}.enabled=false turns it off"
            yield f"{name}: expected a mapping, got nothing{instead}"
        elif isinstance(value, dict) and _is_section(kind):
            yield from (f"{name}.{line}" for line in emptied(value, kind))


def _hint_of(hint: Any, name: str) -> Any:
    """The type of the value `name` in a section; None if it is not ours."""
    field = declared_below(hint, name)
    return None if field is None else field.hint


def _is_section(hint: Any) -> bool:
    """Whether its keys are settings or names of entries."""
    return is_dataclass(hint) or entry_kind(hint) is not None


def _is_free(hint: Any) -> bool:
    return typing.get_origin(hint) is dict and entry_kind(hint) is None
