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
from staragents.config.marks import Mark, Range
from staragents.config.tree import declared, entry_kind

PAGE = Path(__file__).with_suffix(".md")
HEAD = """# Every setting

Written by `python docs/configuration.py` from `staragents/config/`. `*` stands for a name that you choose.
Set any of them in a file, or on the command line as `key=value`; what a run uses in the end is in its
`config.yaml`. The value is YAML, but where a setting is a text, `01` and `yes` are texts too, and on the
command line ` #` belongs to a text without quotes (`output.title=Data # 2`). `key=` is the empty text, if
that has a meaning, else null. A file that `extends` another, and the command line, change single settings of
what is below; `null` removes an entry (`models.judge=null`) and empties a mapping such as
`models.*.engine_args`. A new entry whose name has a dot is `models[qwen2.5]={...}`.

The column *may change* is about a run that exists: *on resume* means when it resumes, *any time* also while
it is running (`staragents change`), *additions* that entries may be added at any time. All other settings
determine the results of the run, so they are fixed.
"""
MAY_CHANGE = {Mark.on_resume: "on resume", Mark.live: "any time", Mark.extensible: "additions"}


def page() -> str:
    return "\n".join([HEAD, *(line for found in sections() for line in section(*found))])


def sections() -> Iterator[tuple[str, type, tuple[Any, ...]]]:
    """Every dataclass below Config with its dotted path and its marks, parents first."""
    waiting: list[tuple[str, type, tuple[Any, ...]]] = [("", config.Config, ())]
    while waiting:
        path, kind, marks = waiting.pop(0)
        if path:
            yield path, kind, marks
        below = []
        for name, field in declared(kind).items():
            if entry := entry_kind(field.hint):
                below.append((joined(path, f"{name}.*"), entry, field.marks))
            elif dataclasses.is_dataclass(field.hint):
                below.append((joined(path, name), field.hint, field.marks))
        waiting = below + waiting


def section(path: str, kind: type, marks: tuple[Any, ...]) -> Iterator[str]:
    said = descriptions(kind)
    rows = []
    for field in dataclasses.fields(kind):
        found = declared(kind)[field.name]
        if entry_kind(found.hint) or dataclasses.is_dataclass(found.hint):
            continue
        limits = "".join(f", {mark}" for mark in found.marks if isinstance(mark, Range))
        inherited = tuple(mark for mark in marks if mark is not Mark.extensible)
        rows.append(
            f"| `{path}.{field.name}` | {type_name(found.hint)}{limits} | {default(field)} | "
            f"{may_change((*inherited, *found.marks))} | {said[field.name]} |"
        )
    added = " Entries may be added to a run at any time." if Mark.extensible in marks else ""
    yield f"## {path}\n\n{one_line(inspect.getdoc(kind) or '')}{added}\n"
    if rows:
        head = ["| setting | type | default | may change | |", "|---|---|---|---|---|"]
        yield "\n".join([*head, *rows]) + "\n"


def may_change(marks: tuple[Any, ...]) -> str:
    return next((MAY_CHANGE[mark] for mark in marks if mark in MAY_CHANGE), "")


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
