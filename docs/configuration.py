"""Writes docs/configuration.md from the dataclasses of staragents/config/.

python docs/configuration.py
"""

from __future__ import annotations

import ast
import dataclasses
import enum
import inspect
import itertools
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from staragents import config

PAGE = Path(__file__).with_suffix(".md")
HEAD = """# Every setting

Written by `python docs/configuration.py` from `staragents/config/`. `*` stands for a name that you choose.
Set any of them in a file, or on the command line as `key=value`; what a run uses in the end is in its
`config.yaml`.
"""


def page() -> str:
    return "\n".join([HEAD, *(line for path, kind in sections() for line in section(path, kind))])


def sections() -> Iterator[tuple[str, type]]:
    """Every dataclass below Config with its dotted path, parents first."""
    waiting: list[tuple[str, type]] = [("", config.Config)]
    while waiting:
        path, kind = waiting.pop(0)
        if path:
            yield path, kind
        inner = [(joined(path, name), hint) for name, hint in typing.get_type_hints(kind).items()]
        waiting = [(where, below) for name, hint in inner for where, below in nested(name, hint)] + waiting


def nested(path: str, hint: Any) -> Iterator[tuple[str, type]]:
    """The dataclass that a field holds, or a mapping of them."""
    if dataclasses.is_dataclass(hint):
        yield path, typing.cast(type, hint)
    elif typing.get_origin(hint) is dict:
        yield from nested(f"{path}.*", typing.get_args(hint)[1])


def section(path: str, kind: type) -> Iterator[str]:
    hints, said = typing.get_type_hints(kind), descriptions(kind)
    rows = [
        f"| `{path}.{field.name}` | {type_name(hints[field.name])} | {default(field)} | {said[field.name]} |"
        for field in dataclasses.fields(kind)
        if not list(nested(path, hints[field.name]))
    ]
    yield f"## {path}\n\n{one_line(inspect.getdoc(kind) or '')}\n"
    if rows:
        yield "\n".join(["| setting | type | default | |", "|---|---|---|---|", *rows]) + "\n"


def descriptions(kind: type) -> dict[str, str]:
    """The string below each field. Raises KeyError later on for a field that has none."""
    (tree,) = (node for node in ast.parse(inspect.getsource(kind)).body if isinstance(node, ast.ClassDef))
    found = {}
    for node, after in itertools.pairwise(tree.body):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            text = after.value if isinstance(after, ast.Expr) else None
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                found[node.target.id] = one_line(text.value)
    return found


def type_name(hint: Any) -> str:
    if inspect.isclass(hint) and issubclass(hint, enum.Enum):
        return " / ".join(f"`{member.value}`" for member in hint)
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        return " or ".join(type_name(part) for part in typing.get_args(hint))
    if hint is types.NoneType:
        return "null"
    if (origin := typing.get_origin(hint)) is not None:
        return f"{origin.__name__} of {type_name(typing.get_args(hint)[-1])}"
    return {str: "text", bool: "true / false", int: "integer", float: "number"}.get(hint, "any")


def default(field: dataclasses.Field[Any]) -> str:
    if field.default_factory is not dataclasses.MISSING:
        value = field.default_factory()
    elif field.default is dataclasses.MISSING:
        return "required"
    else:
        value = field.default
    if isinstance(value, enum.Enum):
        value = value.value
    if isinstance(value, bool) or value is None:
        return f"`{str(value).lower().replace('none', 'null')}`"
    return f"`{value}`" if value != "" else "empty"


def joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def one_line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
