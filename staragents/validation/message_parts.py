"""Parts of one-line messages: values without secrets, types, and the name that was probably meant."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Iterable
from enum import Enum
from typing import Any

from staragents.base.environment import names_secret
from staragents.base.redaction import MASK, redacted

LONGEST_SHOWN = 80


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
