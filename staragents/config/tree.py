"""A config as plain values, its leaves by dotted key, and what their fields declare."""

from __future__ import annotations

import json
import re
import typing
from collections.abc import Iterator
from dataclasses import asdict, dataclass, is_dataclass
from functools import cache, lru_cache
from typing import Annotated, Any

from staragents.config import Config

Key = tuple[str, ...]
"""The parts of a dotted key: names of models and agents may contain dots."""


def as_dict(config: Config) -> dict[str, Any]:
    """The config as JSON values, in the config's order."""
    return json.loads(json.dumps(asdict(config)))


def leaves(tree: dict[str, Any], above: Key = ()) -> Iterator[tuple[Key, Any]]:
    """Every value that is not a mapping, with its key. A list is one value; an empty mapping has no
    leaves."""
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value, (*above, name))
        else:
            yield (*above, name), value


def different(before: dict[Key, Any], after: dict[Key, Any]) -> list[Key]:
    """The leaf keys whose values differ, or that only one of the configs has."""
    return [key for key in {**before, **after} if before.get(key, ...) != after.get(key, ...)]


@dataclass(frozen=True, slots=True)
class Declared:
    """A field's type and its marks (see staragents.config.marks)."""

    hint: Any
    marks: tuple[Any, ...] = ()


@cache
def declared(kind: type) -> dict[str, Declared]:
    """What a config dataclass declares, by field."""
    found = {}
    for name, hint in typing.get_type_hints(kind, include_extras=True).items():
        if typing.get_origin(hint) is Annotated:
            found[name] = Declared(hint.__origin__, hint.__metadata__)
        else:
            found[name] = Declared(hint)
    return found


def entry_kind(hint: Any) -> Any | None:
    """The value type of a `dict[str, dataclass]`, else None."""
    arguments = typing.get_args(hint)
    return arguments[1] if typing.get_origin(hint) is dict and is_dataclass(arguments[1]) else None


def declared_below(hint: Any, name: str) -> Declared | None:
    """What is declared for `name` in a section of type `hint`; None if that is no key of ours."""
    if (entry := entry_kind(hint)) is not None:
        return Declared(entry)
    return declared(typing.cast(type, hint)).get(name) if is_dataclass(hint) else None


def hint_of(key: Key) -> Any | None:
    """The type of a setting or section, None if there is none."""
    hint: Any = Config
    for name in key:
        if (field := declared_below(hint, name)) is None:
            return None
        hint = field.hint
    return hint


def default(key: Key) -> Any:
    """The default of a setting as a JSON value; `...` if it has none, as an entry of a mapping."""
    kind: Any = Config
    for name in key[:-1]:
        kind = entry_kind(kind) or declared(kind)[name].hint
        if not is_dataclass(kind) and entry_kind(kind) is None:
            return ...
    return getattr(kind(), key[-1], ...) if isinstance(kind, type) else ...


@lru_cache(maxsize=4096)
def marks(key: Key) -> tuple[Any, ...]:
    """The marks of a setting, after those of the sections that contain it.

    All keys in a mapping such as `resources` have the marks of its field. A setting that no longer exists, as
    in the config of an older run, has those of its section.
    """
    found: tuple[Any, ...] = ()
    hint: Any = Config
    for name in key:
        if (field := declared_below(hint, name)) is None:
            break
        hint = field.hint
        found += field.marks
    return found


def escaped(value: Any) -> Any:
    """Escape `${` in all strings, so that OmegaConf does not read it as a reference."""
    if isinstance(value, dict):
        return {name: escaped(item) for name, item in value.items()}
    if isinstance(value, list):
        return [escaped(item) for item in value]
    if isinstance(value, str) and "${" in value:
        return re.sub(r"(\\*)\$\{", lambda found: 2 * found[1] + r"\${", value)
    return value
