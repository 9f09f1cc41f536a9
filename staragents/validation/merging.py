"""Reads YAML files, the files they extend, and overrides, and merges them."""

from __future__ import annotations

import io
import os
import typing
from collections.abc import Sequence
from pathlib import Path

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from staragents.base.environment import names_secret
from staragents.base.errors import BadInput
from staragents.files.user_files import read_text
from staragents.validation.message_parts import shown
from staragents.validation.override_keys import with_brackets
from staragents.validation.override_values import override_tree
from staragents.validation.tree_merge import Tree, emptied, merge
from staragents.validation.yaml_problem import NotYaml, yaml_problem

UNREADABLE = (yaml.YAMLError, OmegaConfBaseException, OSError, ValueError, RecursionError)
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
        merged = merge(
            merged, read_file(path.parent / os.path.expanduser(name), problems, (*extended_by, absolute))
        )
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


def read_overrides(overrides: Sequence[str], problems: list[str], below: Tree | None = None) -> Tree:
    """Merge `a.b=c` strings, whose values are YAML or texts, one after the other over `below`."""
    tree = below or {}
    for text in overrides:
        key, equals, value = text.partition("=")
        if not equals or not all(part.strip() for part in key.split(".")):
            problems.append(f"{_override(text)}: expected key=value, such as seeds.limit=100")
            continue
        try:
            _check_references(text)
            given = override_tree(with_brackets(key, tree), value)
            problems += emptied(given)
            tree = merge(tree, given)
        # OmegaConf's key parser raises IndexError and other errors for some malformed keys.
        except Exception:
            problems.append(f"{key}: expected a value in YAML, got {shown(value, key)}")
    return tree


def _override(text: str) -> str:
    return "an override" if names_secret(text) else text
