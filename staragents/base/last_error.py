"""The exception at the end of a process's output, as one line without secrets."""

from __future__ import annotations

import re

from staragents.base import errors
from staragents.base.redaction import redacted
from staragents.text.printable import without_colours

LONGEST_REASON = 500

_FRAME = re.compile(r'\s+File "')
_TYPE = re.compile(r"(?:\w+\.)*(\w+)(?=:|$)")
_OURS = {name for name, kind in vars(errors).items() if isinstance(kind, type)}
"""Names of our exceptions, whose messages need no type in front."""


def has_traceback(text: str) -> bool:
    return any(_FRAME.match(line) for line in text.splitlines())


def last_error(text: str) -> str:
    """The exception at the end of the last traceback in `text`, or all of `text` if it has none."""
    lines = without_colours(text).splitlines()
    frames = [number for number, line in enumerate(lines) if _FRAME.match(line)]
    if not frames:
        # Ray lists the ids of a dead actor, each on a line that begins with a tab.
        return short_reason("\n".join(line for line in lines if not line.startswith("\t")))
    tail = lines[frames[-1] + 1 :]
    while tail and tail[0].startswith("  "):  # the frame's source line and the markers below it
        tail.pop(0)
    said = " ".join(" ".join(tail).split())
    kind = _TYPE.match(said)
    if kind is None:
        return short_reason(said or lines[-1])
    message = said[kind.end() :].removeprefix(":").strip()
    return short_reason(
        message if message and kind[1] in _OURS else f"{kind[1]}: {message}" if message else kind[1]
    )


def short_reason(text: str) -> str:
    """`text` as one line of at most LONGEST_REASON characters, without colours and secrets."""
    line = redacted(" ".join(without_colours(text).split()))
    return line if len(line) <= LONGEST_REASON else f"{line[:LONGEST_REASON]}..."
