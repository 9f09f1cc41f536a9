"""The output of actors, which Ray copies to this process with `-v`: printable, on standard error."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import TextIO

from staragents.text.printable import printable, without_colours


class CopiedOutput(io.TextIOBase):
    """Passes text on without colours and control characters: engines print what models and servers say."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(printable(without_colours(text)))
        return len(text)

    def flush(self) -> None:
        self._stream.flush()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()


@contextmanager
def copied_output(stream: TextIO) -> Iterator[None]:
    """Send what this process prints to `stream`. Standard output carries only the command's own result."""
    copied = CopiedOutput(stream)
    with redirect_stdout(copied), redirect_stderr(copied):
        yield
