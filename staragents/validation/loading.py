"""Loads a checked Config from YAML files and overrides; writes the YAML and fingerprint that a run saves."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from staragents.base.digest import digest_of
from staragents.base.errors import BadInput
from staragents.base.redaction import redacted
from staragents.config import Config
from staragents.config.marks import Mark, ReadBy, Was
from staragents.config.tree import Key, as_dict, default, different, escaped, leaves, marks
from staragents.validation.checks import check_config
from staragents.validation.config_builder import ConfigBuilder, typed
from staragents.validation.kind_checks import check_kinds
from staragents.validation.merging import UNREADABLE, parse_yaml, read_file, read_overrides
from staragents.validation.tree_merge import Tree, merge
from staragents.validation.yaml_problem import yaml_problem


def load_config(path: str | Path, overrides: Sequence[str] = (), above: Path | None = None) -> Config:
    """Merge a YAML file, the files it `extends`, `a.b=c` overrides and a file `above` all; check the result.

    Raises BadInput with every problem, one line each with its dotted key.
    """
    problems: list[str] = []
    tree = read_file(Path(os.path.expanduser(path)), problems)
    above_tree = read_file(above, problems) if above is not None else {}
    unread = bool(problems)
    tree = merge(read_overrides(overrides, problems, tree), above_tree)
    return _checked(tree, problems, unread)


def with_overrides(config: Config, overrides: Sequence[str]) -> Config:
    """The config with `a.b=c` overrides applied. Raises BadInput like `load_config`."""
    problems: list[str] = []
    tree = read_overrides(overrides, problems, escaped(as_dict(config)))
    return _checked(tree, problems, unread=False, accepted=list(check_kinds(config)))


def config_of(tree: Tree) -> Config:
    """A checked config from plain values, such as a parsed file. Raises BadInput like `load_config`."""
    return _checked(tree, [], unread=False)


def saved_config(tree: Tree) -> Config:
    """The config of a run from its saved values. Raises BadInput like `load_config`, but not for settings
    that the run's models ignore, as earlier versions accepted them."""
    return _checked(tree, [], unread=False, accepted=list(check_kinds(typed(tree, []))))


def _checked(tree: Tree, problems: list[str], unread: bool, accepted: Collection[str] = ()) -> Config:
    """`accepted`: problems of kinds that the run already has."""
    builder = ConfigBuilder(problems)
    config = builder.build(tree)
    config.output.dir = os.path.expanduser(config.output.dir)
    config.memory.reuse = [os.path.expanduser(folder) for folder in config.memory.reuse]
    # Skip follow-up problems: settings missing from an unreadable file or because of a misspelled key, and
    # those that were already reported.
    if not unread:
        known = builder.meant | {line.partition(": ")[0] for line in problems}
        found = [*check_config(config), *(line for line in check_kinds(config) if line not in accepted)]
        problems += [line for line in found if line.partition(": ")[0] not in known]
    if problems:
        raise BadInput(problems)
    return config


def to_yaml(config: Config) -> str:
    """All settings as YAML that `load_config` reads back to an equal config."""
    return _yaml(as_dict(config))


def without_secrets(config: Config) -> Config:
    """A config for display. Only configs saved by older versions or other tools can contain secrets."""
    tree = as_dict(config)
    shown = _redacted(tree)
    return config if shown == tree else from_yaml(_yaml(shown))


def from_yaml(text: str) -> Config:
    """The inverse of `to_yaml`, unchecked: a saved run can be read on a machine without its models.

    Raises BadInput if the text is not a config.
    """
    problems: list[str] = []
    try:
        config = typed(parse_yaml(text), problems)
    except UNREADABLE as error:
        raise BadInput(f"config.yaml{yaml_problem(error)}") from error
    if problems:
        raise BadInput(problems)
    return config


def _yaml(tree: Tree) -> str:
    return _yaml_of(json.dumps(tree))


@functools.lru_cache(maxsize=4)
def _yaml_of(tree: str) -> str:
    """From the tree as JSON. Kept, because a run writes its config twice, at 30 ms each."""
    return OmegaConf.to_yaml(OmegaConf.create(escaped(json.loads(tree))))


def _redacted(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _redacted(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_redacted(item) for item in value]
    return redacted(value) if isinstance(value, str) else value


def fingerprint(config: Config) -> str:
    """sha256 over all settings that determine the results of a run. A resumed run must have the same one."""
    # Sorted, as the order of sections does not matter. The order of pairs does: it affects draws.
    return digest_of([sorted(_decisive(as_dict(config)).items()), config.pairs])


def changed_keys(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """The result-determining dotted keys in which two configs (from `as_dict`) differ."""
    before, after = _decisive(old), _decisive(new)
    changed = [".".join(key) for key in different(before, after)]
    if not changed and list(before) != list(after):
        changed.append("agents (their order)")
    return changed


def additions(old: dict[str, Any], new: dict[str, Any]) -> list[str] | None:
    """Dotted keys of the agents and models that `new` adds to `old`, and `agents.pairs` if it adds pairs.
    None if any other setting that determines the results differs."""
    found = added_entries(old, new)
    return None if found is None else [".".join(key) for key in found]


def added_entries(old: dict[str, Any], new: dict[str, Any]) -> list[Key] | None:
    """The keys of `additions`."""
    before, after = _decisive(old), _decisive(new)
    # A dict rather than a set: the order is the config's.
    found = dict.fromkeys(_addition(key, before, after) for key in different(before, after))
    return None if None in found else [key for key in found if key is not None]


def _addition(key: Key, before: dict[Key, Any], after: dict[Key, Any]) -> Key | None:
    """The new entry of an extensible setting to which a differing key belongs; the setting itself if it is a
    list with new items. None if something changed or was removed, as pairs are by a list where none was."""
    extensible = next((n for n in range(1, len(key) + 1) if Mark.extensible in marks(key[:n])), None)
    if extensible is None:
        return None
    if extensible == len(key):
        items, more = before.get(key), after.get(key)
        return key if items is not None and more is not None and set(items) < set(more) else None
    entry = key[: extensible + 1]
    return None if any(old[: len(entry)] == entry for old in before) else entry


def _decisive(tree: dict[str, Any]) -> dict[Key, Any]:
    found = ((key, _as_before(key, _as_read(key, value, tree))) for key, value in leaves(tree))
    return {key: value for key, value in found if value is not ... and _is_decisive(key, value)}


def _as_read(key: Key, value: Any, tree: dict[str, Any]) -> Any:
    """The default where a model ignores the setting; `...` if it has none, as a key of `engine_args`."""
    read_by = next((mark.kind for mark in marks(key) if isinstance(mark, ReadBy)), None)
    is_ignored = read_by is not None and tree["models"][key[1]].get("kind") != read_by
    return default(key) if is_ignored else value


def _as_before(key: Key, value: Any) -> Any:
    """The value that an earlier version would have saved for the same choice: its own default for ours."""
    was = next((mark for mark in marks(key) if isinstance(mark, Was)), None)
    return was.value if was is not None and value == default(key) else value


def _is_decisive(key: Key, value: Any) -> bool:
    found = {*marks(key)}
    if Mark.added in found and value == _as_before(key, default(key)):
        return False
    return not {Mark.on_resume, Mark.live} & found
