"""The keys of `a.b=c` overrides."""

from __future__ import annotations

import typing
from typing import Any

from omegaconf import OmegaConf

from staragents.config import Config
from staragents.config.tree import declared_below, entry_kind
from staragents.validation.message_parts import shown
from staragents.validation.tree_merge import Tree, emptied, merge


def with_setting(tree: Tree, key: str, value: Any, problems: list[str]) -> Tree:
    """`tree` with a plain value at a dotted key."""
    given = OmegaConf.create({})
    try:
        OmegaConf.update(given, with_brackets(key, tree), value, force_add=True)
    # OmegaConf's key parser raises IndexError and other errors for some malformed keys.
    except Exception:
        problems.append(f"{key}: expected a setting and its value, got {shown(value, key)}")
        return tree
    plain = typing.cast(Tree, OmegaConf.to_container(given))
    problems += emptied(plain)
    return merge(tree, plain)


def with_brackets(key: str, tree: Tree) -> str:
    """The key with an entry's name that contains dots in brackets: `models[qwen2.5].price_in`. `tree`: the
    settings below, which have the entry. A key without such a name stays as it is."""
    found, rest = "", key
    hint: Any = Config
    below: Any = tree
    while rest:
        name = rest.partition(".")[0]
        names = below if isinstance(below, dict) else {}
        if entry_kind(hint):
            fitting = [one for one in map(str, names) if rest == one or rest.startswith(f"{one}.")]
            name = max([name, *fitting], key=len)
        if (field := declared_below(hint, name)) is None:
            break
        hint = field.hint
        below = names.get(name)
        found += f"[{name}]" if "." in name else f"{'.' * bool(found)}{name}"
        rest = rest[len(name) :].removeprefix(".")
    return found + "." * bool(found and rest) + rest
