"""Why a call of Ray failed or an actor did not start: the last exception as one line, without secrets."""

from __future__ import annotations

import re

from ray.exceptions import RayTaskError

from staragents.base import errors
from staragents.base.errors import StarAgentsError
from staragents.base.redaction import redacted
from staragents.text.printable import without_colours

LONGEST_REASON = 500

_FRAME = re.compile(r'\s+File "')
_TYPE = re.compile(r"(?:\w+\.)*(\w+)(?=:|$)")
_OURS = {name for name, kind in vars(errors).items() if isinstance(kind, type)}
"""Names of our exceptions, whose messages need no type in front."""


def reason_of(error: BaseException) -> str:
    """The reason in an error of a call of Ray: the message of our own cause, else the end of the actor's
    traceback, else Ray's message."""
    if (cause := own_cause(error)) is not None:
        return _short(str(cause))
    text = error.traceback_str if isinstance(error, RayTaskError) else str(error)
    return last_error(text) or type(error).__name__


def own_cause(error: BaseException) -> StarAgentsError | None:
    """The exception of ours that an actor raised, if `error` is Ray's report of one."""
    cause = getattr(error, "cause", None)
    return cause if isinstance(cause, StarAgentsError) else None


def last_error(text: str) -> str:
    """The exception at the end of the last traceback in `text`, or all of `text` if it has none."""
    lines = without_colours(text).splitlines()
    frames = [number for number, line in enumerate(lines) if _FRAME.match(line)]
    if not frames:
        # Ray lists the ids of a dead actor, each on a line that begins with a tab.
        return _short("\n".join(line for line in lines if not line.startswith("\t")))
    tail = lines[frames[-1] + 1 :]
    while tail and tail[0].startswith("  "):  # the frame's source line and the markers below it
        tail.pop(0)
    said = " ".join(" ".join(tail).split())
    kind = _TYPE.match(said)
    if kind is None:
        return _short(said or lines[-1])
    message = said[kind.end() :].removeprefix(":").strip()
    return _short(
        message if message and kind[1] in _OURS else f"{kind[1]}: {message}" if message else kind[1]
    )


def _short(text: str) -> str:
    line = redacted(" ".join(without_colours(text).split()))
    return line if len(line) <= LONGEST_REASON else f"{line[:LONGEST_REASON]}..."
