"""Makes the standard streams robust: closed at start, lost while in use, or with a limited encoding."""

from __future__ import annotations

import codecs
import errno
import io
import json
import os
import sys
from typing import TextIO

from staragents.base.errors import RunFailed

_MODES = ((0, "stdin", os.O_RDONLY), (1, "stdout", os.O_WRONLY), (2, "stderr", os.O_WRONLY))
_ERRORS = "staragents.escape"


class Output(io.TextIOWrapper):
    """Standard output or error. When its reader is gone, further output is discarded."""

    outlived = False
    """Whether the command continues without its reader. Otherwise it exits, without a message if the reader
    left."""

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError as error:
            self._lost(error)
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            self._lost(error)

    def _lost(self, error: OSError) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)
        if Output.outlived:
            return
        # A pipe whose reader exited, or a closed terminal.
        if error.errno in (errno.EPIPE, errno.EIO):
            sys.exit(1)
        raise RunFailed(f"can't write the output: {error.strerror}") from error


def secure_standard_streams() -> None:
    """Replace the streams that Python opened with `Output`. Streams that were already replaced stay."""
    codecs.register_error(_ERRORS, _escaped)
    for number, name, mode in _MODES:
        stream = getattr(sys, name)
        if stream is None:
            # Closed at start. Otherwise the next opened file would get its descriptor.
            stream = _nowhere(number, mode)
            setattr(sys, name, stream)
        if number and type(stream) is io.TextIOWrapper:
            setattr(sys, name, _output(stream))


def outlive_readers() -> None:
    """Let the command continue when the readers of its output are gone."""
    Output.outlived = True


def flush_all() -> None:
    """Flush both streams now: at exit, Python could only print that flushing failed."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()


def _output(stream: io.TextIOWrapper) -> Output:
    encoding, buffering = stream.encoding, stream.line_buffering
    return Output(stream.detach(), encoding, _ERRORS, line_buffering=buffering)


def _nowhere(number: int, mode: int) -> TextIO:
    opened = os.open(os.devnull, mode)
    if opened != number:
        os.dup2(opened, number)
        os.close(opened)
    return os.fdopen(number, "r" if mode == os.O_RDONLY else "w", encoding="utf-8")


def _escaped(error: UnicodeError) -> tuple[str, int]:
    """JSON escapes for characters that the encoding lacks, so that --json output stays valid."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end
