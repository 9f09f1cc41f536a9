"""A config as plain values and its leaves by dotted key."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

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


def matches(key: Key, pattern: str) -> bool:
    """Whether the key matches a pattern such as `models.*.num_gpus` or, for a whole section, `output.**`."""
    parts = pattern.split(".")
    if parts[-1] == "**":
        parts.pop()
        key = key[: len(parts)]
    return len(key) == len(parts) and all(part in ("*", name) for part, name in zip(parts, key, strict=True))


def matches_any(key: Key, patterns: Iterable[str]) -> bool:
    return any(matches(key, pattern) for pattern in patterns)


def escaped(value: Any) -> Any:
    """Escape `${` in all strings, so that OmegaConf does not read it as a reference."""
    if isinstance(value, dict):
        return {name: escaped(item) for name, item in value.items()}
    if isinstance(value, list):
        return [escaped(item) for item in value]
    if isinstance(value, str) and "${" in value:
        return re.sub(r"(\\*)\$\{", lambda found: 2 * found[1] + r"\${", value)
    return value
