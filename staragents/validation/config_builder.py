"""Converts merged settings to the config's types."""

from __future__ import annotations

import copy
import typing
from collections.abc import Iterable, Iterator
from dataclasses import is_dataclass
from enum import Enum
from functools import cache
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from staragents.base.environment import names_secret
from staragents.config import Config
from staragents.config.tree import Key, declared, entry_kind
from staragents.validation.message_parts import LONGEST_SHOWN, first_line, nearest, shown, type_name
from staragents.validation.secret_checks import check_resolvers
from staragents.validation.tree_merge import Tree


def typed(tree: Tree, problems: list[str]) -> Config:
    """Convert the tree to a Config. An invalid leaf keeps its default and adds a line to `problems`."""
    return ConfigBuilder(problems).build(tree)


class ConfigBuilder:
    """Sets each leaf separately, so that every invalid one is reported.

    `meant`: the settings that were probably meant by unknown keys, so that they may only seem not to be set.
    """

    def __init__(self, problems: list[str]) -> None:
        self.meant: set[str] = set()
        self._problems = problems
        self._references: list[tuple[DictConfig, str, Key, Any]] = []

    def build(self, tree: Tree) -> Config:
        """The config, as `typed` returns it."""
        node = copy.deepcopy(_defaults(Config))
        self._fill(node, Config, tree, ())
        self._check_references()
        return typing.cast(Config, OmegaConf.to_object(node))

    def _fill(self, section: DictConfig, kind: type, tree: Tree, above: Key) -> None:
        """Fill `section`, created from the dataclass `kind`, with the values of `tree`."""
        known = declared(kind)
        for name, value in tree.items():
            key = (*above, str(name))
            if name not in known:
                self._unknown(key, known)
            elif is_dataclass(hint := known[name].hint) or entry_kind(hint):
                if isinstance(value, dict | None):
                    self._fill_section(section[name], hint, value or {}, key)
                else:
                    self._problem(key, f"expected a mapping, got {shown(value, name)}")
            else:
                self._set(section, name, value, key, hint, getattr(kind(), name))

    def _fill_section(self, section: DictConfig, hint: Any, tree: Tree, key: Key) -> None:
        kind = entry_kind(hint)
        if kind is None:
            self._fill(section, hint, tree, key)
            return
        for name, below in tree.items():
            if not isinstance(name, str):
                self._problem(key, f"expected names, got {shown(name)}")
            elif not isinstance(below, dict | None):
                self._problem((*key, name), f"expected a mapping, got {shown(below, name)}")
            else:
                section[name] = _defaults(kind)  # OmegaConf assigns a copy
                self._fill(section[name], kind, below or {}, (*key, name))

    def _set(self, section: DictConfig, name: str, value: Any, key: Key, hint: Any, default: Any) -> None:
        if problem := check_resolvers(key, value):
            self._problem(key, problem)
            return
        if problems := list(_bad_items(value, hint)):
            for index, problem in problems:
                self._problem((*key[:-1], f"{key[-1]}[{index}]"), problem)
            return
        value = _as_word(value, hint)
        plain = default.value if isinstance(default, Enum) else default
        if type(value) is type(plain) and value == plain:
            return  # a saved config names all settings, and OmegaConf takes 0.3 ms for each
        try:
            if value == "???":  # OmegaConf's marker for a missing value
                raise ValueError
            section.merge_with({name: value})
        except (OmegaConfBaseException, ValueError):
            self._problem(key, f"expected {type_name(hint)}, got {shown(value, name)}")
            section[name] = default
        else:
            if "${" in str(value):
                self._references.append((section, name, key, default))

    def _check_references(self) -> None:
        """Resolve every `${other.key}`, now that all values are set."""
        for section, name, key, default in self._references:
            try:
                value = section[name]
                if OmegaConf.is_config(value):
                    OmegaConf.to_container(value, resolve=True)
            except OmegaConfBaseException as error:
                self._problem(key, first_line(error))
                section[name] = default

    def _unknown(self, key: Key, known: Iterable[str]) -> None:
        prefix = "".join(f"{part}." for part in key[:-1])
        variable = next((name for name in known if name.endswith("_env")), None)
        if names_secret(key[-1]) and variable:
            where = f"{prefix}{variable} takes the name of an environment variable that holds the secret"
            self._problem(key, f"unknown key; {where}")
        elif meant := _meant(key[-1], prefix, known):
            self.meant.add(meant)
            self._problem(key, f"unknown key, did you mean {meant}?")
        else:
            self._problem(key, f"unknown key; known are {', '.join(known)}{_or_entry(key)}")

    def _problem(self, key: Key, what: str) -> None:
        name = " ".join(".".join(key).split())[:LONGEST_SHOWN]
        self._problems.append(f"{name}: {what}")


@cache
def _defaults(kind: type) -> DictConfig:
    """A section without settings: a copy takes a seventh of the time of a new one."""
    return OmegaConf.structured(kind)


def _bad_items(value: Any, hint: Any) -> Iterator[tuple[int, str]]:
    """The items of a list of texts that are none. OmegaConf takes all of them: in YAML, the item `- User:`
    is a mapping and `- no` is false."""
    if list[str] in (hint, *typing.get_args(hint)) and isinstance(value, list):
        for index, item in enumerate(value):
            if item is None or isinstance(item, list | dict | bool):
                instead = "; quote it" if isinstance(item, dict | bool) else ""
                yield index, f"expected text, got {shown(item)}{instead}"


def _as_word(value: Any, hint: Any) -> Any:
    """`on` and `off` without quotes are true and false in YAML 1.1; where they are words, take them so."""
    if isinstance(value, bool) and isinstance(hint, type) and issubclass(hint, Enum):
        word = "on" if value else "off"
        return word if word in {member.value for member in hint} else value
    return value


def _or_entry(key: Key) -> str:
    """How to write the name of a new entry that has a dot, if the unknown key may be the end of one."""
    hint: Any = Config
    for name in key[:-2]:
        hint = entry_kind(hint) or declared(typing.cast(type, hint))[name].hint
    if not entry_kind(hint):
        return ""
    return f"; an entry with the name {key[-2]}.{key[-1]} is {'.'.join(key[:-2])}[{key[-2]}.{key[-1]}]"


def _meant(name: str, prefix: str, known: Iterable[str]) -> str | None:
    """The dotted key of the known setting closest to an unknown one, or of one with its name elsewhere."""
    if near := nearest(name, known):
        return f"{prefix}{near}"
    return next((key for key in _all_keys(Config, "") if key.split(".")[-1] == name), None)


def _all_keys(kind: type, prefix: str) -> list[str]:
    keys = []
    for name, field in declared(kind).items():
        keys.append(f"{prefix}{name}")
        if kind_below := entry_kind(field.hint):
            keys += _all_keys(kind_below, f"{prefix}{name}.NAME.")
        elif is_dataclass(field.hint):
            keys += _all_keys(typing.cast(type, field.hint), f"{prefix}{name}.")
    return keys
