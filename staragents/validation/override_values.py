"""Reads the values of overrides as the types of their settings.

In YAML, 01 and yes are a number and a truth value, and nothing is null. In a setting that is a text, they are
what the user wrote: the name of a column or of a folder.
"""

from __future__ import annotations

import types
import typing
from typing import Any

import yaml
from omegaconf import OmegaConf

from staragents.config.marks import Mark
from staragents.config.tree import Key, declared_below, hint_of, leaves, marks


def override_tree(key: str, value: str) -> dict[str, Any]:
    """The override `key=value` as a tree. Raises errors of OmegaConf and YAML, and others for malformed
    keys."""
    tree = _tree(f"{key}={value}")
    ((path, _),) = leaves(_tree(f"{key}=0"))
    section = tree
    for name in path[:-1]:
        section = section[name]
    if value.strip():
        read, hint = section[path[-1]], hint_of(path)
        if _is_text(hint) and isinstance(read, str | int | float) and _is_plain(value):
            section[path[-1]] = value.strip()
        else:
            section[path[-1]] = _as_declared(read, yaml.load(value, Loader=yaml.BaseLoader), hint)
    elif _takes_nothing(path):
        section[path[-1]] = ""
    return tree


def _tree(override: str) -> dict[str, Any]:
    return typing.cast(dict[str, Any], OmegaConf.to_container(OmegaConf.from_dotlist([override])))


def _takes_nothing(key: Key) -> bool:
    """Whether nothing means an empty text: in a setting that is always a text, or for which that has a
    meaning."""
    hint = hint_of(key)
    return hint is str or (_is_text(hint) and Mark.empty in marks(key))


def _as_declared(value: Any, written: Any, hint: Any) -> Any:
    """`value` with texts where `hint` has them. `written` is the same value with all scalars as texts."""
    if isinstance(value, dict) and isinstance(written, dict) and len(value) == len(written):
        pairs = zip(value.items(), written.values(), strict=True)
        return {name: _as_declared(one, text, _below(hint, name)) for (name, one), text in pairs}
    if isinstance(value, list) and isinstance(written, list):
        items = zip(value, written, strict=True)
        return [_as_declared(one, text, _item(hint)) for one, text in items]
    is_other = isinstance(value, bool | int | float) and isinstance(written, str)
    return written if is_other and _is_text(hint) else value


def _is_plain(value: str) -> bool:
    """Whether a text is written without quotes, so that YAML would take what follows ` #` for a comment."""
    return " #" in value and not value.lstrip().startswith(("'", '"'))


def _below(hint: Any, name: Any) -> Any:
    known = declared_below(hint, name)
    return known.hint if known else None


def _item(hint: Any) -> Any:
    """The type of a list's items; `hint` may also allow None."""
    lists = (one for one in (hint, *typing.get_args(hint)) if typing.get_origin(one) is list)
    return next((typing.get_args(one)[0] for one in lists), None)


def _is_text(hint: Any) -> bool:
    return hint is str or set(typing.get_args(hint)) == {str, types.NoneType}
