"""Merges files, `extends` and overrides, then converts the result to the config's types."""

from __future__ import annotations

import copy
import difflib
import io
import os
import types
import typing
from collections.abc import Iterable, Sequence
from dataclasses import is_dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from staragents.base.environment import names_secret
from staragents.base.errors import BadInput
from staragents.base.redaction import MASK, redacted
from staragents.config import Config
from staragents.config.tree import Key, declared, entry_kind
from staragents.files.user_files import read_text
from staragents.validation.secret_checks import check_resolvers
from staragents.validation.yaml_problem import NotYaml, yaml_problem

Tree = dict[str, Any]
UNREADABLE = (yaml.YAMLError, OmegaConfBaseException, OSError, ValueError, RecursionError)
LONGEST_SHOWN = 80
LONGEST_REFERENCE = 1000


def read_file(path: Path, problems: list[str], extended_by: tuple[Path, ...] = ()) -> Tree:
    """A YAML file merged over the file or list of files that it `extends`; later files take precedence. Adds
    problems to `problems`."""
    # Not Path.resolve, which raises on circular links.
    absolute = Path(os.path.abspath(path))
    if absolute in extended_by:
        circle = " > ".join(file.name for file in (*extended_by, path))
        problems.append(f"extends: expected files that don't extend each other in a circle, got {circle}")
        return {}
    tree = _parse(path, problems)
    below = tree.pop("extends", None)
    if below is None:
        return tree
    names = below if isinstance(below, list) else [below]
    if not all(isinstance(name, str) for name in names):
        problems.append(f"extends: expected a file name or a list of them, got {shown(below)} in {path}")
        return tree
    merged: Tree = {}
    for name in names:
        merged = merge(merged, read_file(path.parent / name, problems, (*extended_by, absolute)))
    return merge(merged, tree)


def _parse(path: Path, problems: list[str]) -> Tree:
    try:
        return parse_yaml(read_text(path))
    except BadInput as error:
        problems += error.problems
    except UNREADABLE as error:
        problems.append(f"{path}{yaml_problem(error)}")
    return {}


def parse_yaml(text: str) -> Tree:
    """A YAML mapping as plain values. Raises one of UNREADABLE."""
    _check_references(text)
    _check_root(text)
    # Unlike plain PyYAML, OmegaConf's loader rejects duplicate keys and reads 1e-3 as a number.
    return typing.cast(Tree, OmegaConf.to_container(OmegaConf.load(io.StringIO(text))))


def _check_root(text: str) -> None:
    """OmegaConf turns a file that is a single string into a key, and messages show keys. Raises NotYaml."""
    root = yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    kind = "nothing" if root is None else root.tag.rpartition(":")[2]
    if kind not in ("map", "null", "nothing"):
        # Don't show the content: a file that is not a config may contain anything.
        got = {"seq": "a list", "str": "a string"}.get(kind, "a single value")
        raise NotYaml(f"expected a mapping of sections, got {got}")


def _check_references(text: str) -> None:
    """OmegaConf's parser takes a minute for some long lines that contain `${`. Raises NotYaml."""
    for line in text.splitlines():
        if "${" in line and len(line) > LONGEST_REFERENCE:
            most = f"at most {LONGEST_REFERENCE} characters in a line with a reference"
            raise NotYaml(f"expected {most}, got {len(line)}")


def read_overrides(overrides: Sequence[str], problems: list[str]) -> Tree:
    """Merge `a.b=c` strings, whose values are YAML; later ones take precedence."""
    tree: Tree = {}
    for text in overrides:
        key, equals, value = text.partition("=")
        if not equals or not all(part.strip() for part in key.split(".")):
            problems.append(f"{_override(text)}: expected key=value, such as seeds.limit=100")
            continue
        try:
            _check_references(text)
            tree = merge(tree, typing.cast(Tree, OmegaConf.to_container(OmegaConf.from_dotlist([text]))))
        # OmegaConf's key parser raises IndexError and other errors for some malformed keys.
        except Exception:
            problems.append(f"{key}: expected a value in YAML, got {shown(value, key)}")
    return tree


def _override(text: str) -> str:
    return "an override" if names_secret(text) else text


def merge(below: Tree, above: Tree) -> Tree:
    """Merge `above` over `below`, recursively. An empty section in `above` changes nothing."""
    merged = dict(below)
    for name, value in above.items():
        old = merged.get(name)
        if isinstance(old, dict) and (value is None or isinstance(value, dict)):
            merged[name] = merge(old, value or {})
        else:
            merged[name] = value
    return merged


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
            self._problem(key, f"unknown key; known are {', '.join(known)}")

    def _problem(self, key: Key, what: str) -> None:
        name = " ".join(".".join(key).split())[:LONGEST_SHOWN]
        self._problems.append(f"{name}: {what}")


@cache
def _defaults(kind: type) -> DictConfig:
    """A section without settings: a copy takes a seventh of the time of a new one."""
    return OmegaConf.structured(kind)


def _as_word(value: Any, hint: Any) -> Any:
    """`on` and `off` without quotes are true and false in YAML 1.1; where they are words, take them so."""
    if isinstance(value, bool) and isinstance(hint, type) and issubclass(hint, Enum):
        word = "on" if value else "off"
        return word if word in {member.value for member in hint} else value
    return value


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


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name closest to a misspelled `name`, if any."""
    found = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return found[0] if found else None


def type_name(hint: Any) -> str:
    """A field's type as shown to users."""
    if hint is bool:
        return "true or false"
    if hint is float:
        return "a number"
    if isinstance(hint, type) and issubclass(hint, Enum):
        return f"one of {', '.join(member.value for member in hint)}"
    if isinstance(hint, types.UnionType):
        parts = [type_name(part) for part in typing.get_args(hint) if part is not type(None)]
        return " or ".join([*parts, "null"])
    if typing.get_origin(hint) is list:
        return f"a list of {type_name(typing.get_args(hint)[0])}"
    if typing.get_origin(hint) is dict:
        return "a mapping"
    return str(hint.__name__)


def shown(value: Any, name: str = "") -> str:
    """A value for a one-line message. Values of fields named like secrets are not shown."""
    if value is None or value == "":
        return "nothing"
    if _is_private(name):
        return "something else"
    text = redacted(repr(_public(value)))
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}... ({len(text)} characters)"


def _is_private(name: str) -> bool:
    """Whether a field is for a secret, or for a variable's name, where users may put the secret itself."""
    return name.endswith("_env") or names_secret(name)


def _public(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: MASK if _is_private(str(name)) else _public(below) for name, below in value.items()}
    return [_public(below) for below in value] if isinstance(value, list) else value


def first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
