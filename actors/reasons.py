"""Why a call of Ray failed or an actor did not start: the last exception as one line, without secrets."""

from __future__ import annotations

import re

from ray.exceptions import RayTaskError

from staragents.base import errors
from staragents.base.errors import StarAgentsError
from staragents.base.redaction import redacted

LONGEST_REASON = 500

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_FRAME = re.compile(r'\s+File "')
_TYPE = re.compile(r"(?:\w+\.)*(\w+)(?=:|$)")
_OURS = {name for name, kind in vars(errors).items() if isinstance(kind, type)}
"""Names of our exceptions, whose messages need no type in front."""


def reason_of(error: BaseException) -> str:
    """The reason in an error of a call of Ray: the message of our own cause, else the end of the actor's
    traceback, else Ray's message."""
    cause = getattr(error, "cause", None)
    if isinstance(cause, StarAgentsError):
        return _short(str(cause))
    text = error.traceback_str if isinstance(error, RayTaskError) else str(error)
    return last_error(text) or type(error).__name__


def last_error(text: str) -> str:
    """The exception at the end of the last traceback in `text`, or all of `text` if it has none."""
    lines = _COLOUR.sub("", text).splitlines()
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
    line = redacted(" ".join(_COLOUR.sub("", text).split()))
    return line if len(line) <= LONGEST_REASON else f"{line[:LONGEST_REASON]}..."
