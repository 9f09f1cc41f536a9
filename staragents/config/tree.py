"""A config as plain values, and its leaves by dotted key."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from staragents.config import Config

Key = tuple[str, ...]
"""A dotted key in parts: names of models and agents may hold dots themselves."""


def as_dict(config: Config) -> dict[str, Any]:
    """The config as JSON values, sections and names in the config's order."""
    return json.loads(json.dumps(asdict(config)))


def leaves(tree: dict[str, Any], above: Key = ()) -> Iterator[tuple[Key, Any]]:
    """Every value that is no mapping, with its key. A list is one value, an empty mapping none."""
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value, (*above, name))
        else:
            yield (*above, name), value


def different(before: dict[Key, Any], after: dict[Key, Any]) -> list[Key]:
    """The keys of two configs' leaves whose values differ, or that only one of them has."""
    return [key for key in {**before, **after} if before.get(key, ...) != after.get(key, ...)]


def matches(key: Key, pattern: str) -> bool:
    """Whether `models.*.num_gpus` or, for a whole section, `output.**` stands for this key."""
    parts = pattern.split(".")
    if parts[-1] == "**":
        parts.pop()
        key = key[: len(parts)]
    return len(key) == len(parts) and all(part in ("*", name) for part, name in zip(parts, key, strict=True))


def matches_any(key: Key, patterns: Iterable[str]) -> bool:
    return any(matches(key, pattern) for pattern in patterns)
