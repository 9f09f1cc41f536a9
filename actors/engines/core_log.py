"""Why a process of vLLM ended: the error that it wrote to the actor's log.

vLLM itself only says that its engine core failed and to see the root cause above, which is a file on another
machine for our users.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from staragents.base.last_error import has_traceback, last_error

OUTPUT = Path("/proc/self/fd/1")
"""The standard output of this process, which vLLM's processes share: a file under Ray."""
LARGEST = 1_000_000
_ERROR = re.compile(r"\(((?:EngineCore|Worker)[^)]*)\) ERROR [^\[]*\[[^\]]*\] ?(.*)")
_COMPILER = ("InvalidCxxCompiler", "Failed to find C compiler")


class CoreLog:
    """What the processes of one engine write about their errors from now on."""

    def __init__(self, output: Path = OUTPUT) -> None:
        self._output = output
        self._start = _size(output)

    def reason(self) -> str | None:
        """The error of the first process that failed: others fail because of it. None if none is known."""
        if self._start is None:
            return None
        with self._output.open("rb") as log:
            log.seek(max(self._start, (_size(self._output) or 0) - LARGEST))
            text = log.read(LARGEST).decode("utf-8", "replace")
        said: dict[str, list[str]] = {}
        for process, line in _ERROR.findall(text):
            said.setdefault(process, []).append(line)
        errors = ("\n".join(lines) for lines in said.values())
        first = next(filter(has_traceback, errors), None)
        return None if first is None else _with_advice(last_error(first))


def _size(path: Path) -> int | None:
    """Bytes written so far, or None if this is no regular file that can be read again."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) and os.access(path, os.R_OK) else None


def _with_advice(reason: str) -> str:
    if any(kind in reason for kind in _COMPILER):
        return f"{reason}; install a C++ compiler such as g++, or set engine_args.enforce_eager=true"
    return reason
