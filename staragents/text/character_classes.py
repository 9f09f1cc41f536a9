"""Classes of characters by their Unicode category, for regular expressions, which know none."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from functools import cache

BASIC_END = 0x10000
"""Of the Basic Multilingual Plane."""
# Beyond are ideographs, private use and variation selectors only.
_END = 0x20000


def character_class(categories: Collection[str], without: str = "", end: int = _END) -> str:
    """The inside of a `[...]` with all characters of these categories, such as `Lu`, below `end`, except
    those of the class `without`."""
    chosen = {name: "x" if name in categories else "-" for name in set(_categories())}
    flags = "".join(chosen[name] for name in _categories()[:end])
    if without:
        others = re.compile(f"[{without}]")
        flags = "".join(
            "-" if flag == "x" and others.match(chr(code)) else flag for code, flag in enumerate(flags)
        )
    return "".join(f"\\U{run.start():08x}-\\U{run.end() - 1:08x}" for run in re.finditer("x+", flags))


@cache
def _categories() -> tuple[str, ...]:
    return tuple(map(unicodedata.category, map(chr, range(_END))))
