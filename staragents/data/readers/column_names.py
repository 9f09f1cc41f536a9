"""Column names of the known shapes, recognised whatever their case and the spaces around them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Self


def plain(name: str) -> str:
    """`" System Prompt"` as `system_prompt`."""
    return name.strip().lstrip("\ufeff").lower().replace(" ", "_").replace("-", "_")


class ColumnNames(frozenset[str]):
    """A set of names that also contains their other spellings: `Instruction`, `OUTPUT`, `Prompt `."""

    def also(self, *names: str) -> Self:
        """With more names. The union of sets would lose the spellings."""
        return type(self)((*self, *names))

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and (super().__contains__(name) or super().__contains__(plain(name)))


def respelled(names: Iterable[object], known: frozenset[str]) -> dict[str, str]:
    """The known name of each of these names that is another spelling of one.

    Two spellings of one name stay as they are: neither is what was meant more than the other.
    """
    texts = [name for name in names if isinstance(name, str)]
    # An exact name, which `frozenset` tells apart from the spellings that ColumnNames also contains.
    exact = {name for name in texts if frozenset.__contains__(known, name)}
    others = {name: plain(name) for name in texts if name not in exact}
    times = Counter(others.values())
    return {
        name: known_name
        for name, known_name in others.items()
        if frozenset.__contains__(known, known_name) and known_name not in exact and times[known_name] == 1
    }
