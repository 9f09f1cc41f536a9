"""Column names of the known shapes, recognised whatever their case and the spaces around them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Self

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def plain(name: str) -> str:
    """`" System Prompt"` as `system_prompt`."""
    return name.strip().lstrip("\ufeff").lower().replace(" ", "_").replace("-", "_")


def snake(name: str) -> str:
    """`answerCorrect` and `Answer Correct` as `answer_correct`."""
    return plain(_CAMEL.sub("_", name))


def known_name(name: str, known: frozenset[str]) -> str | None:
    """The one of these names, as they stand there, that this is a spelling of: `systemPrompt` too."""
    for spelling in (name, plain(name), snake(name)):
        if frozenset.__contains__(known, spelling):
            return spelling
    return None


class ColumnNames(frozenset[str]):
    """A set of names that also contains their other spellings: `Instruction`, `OUTPUT`, `Prompt `."""

    def also(self, *names: str) -> Self:
        """With more names. The union of sets would lose the spellings."""
        return type(self)((*self, *names))

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and known_name(name, self) is not None


def respelled(names: Iterable[object], known: frozenset[str]) -> dict[str, str]:
    """The known name of each of these names that is another spelling of one.

    Two spellings of one name stay as they are: neither is what was meant more than the other.
    """
    texts = [name for name in names if isinstance(name, str)]
    # An exact name, which `frozenset` tells apart from the spellings that ColumnNames also contains.
    exact = {name for name in texts if frozenset.__contains__(known, name)}
    others = {name: found for name in texts if name not in exact and (found := known_name(name, known))}
    times = Counter(others.values())
    return {name: found for name, found in others.items() if found not in exact and times[found] == 1}
