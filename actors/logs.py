"""Log lines of the command and of a run's actors: redacted, printable, on standard error.

Ray gives an actor no log level. Each actor's constructor calls `configure_logs`, so a restarted actor logs
the same way. Its standard error is a file of the Ray session; `-v` also copies it to the command's output.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

from staragents.base.environment import verbose
from staragents.base.redaction import guard_logs
from staragents.text.printable import printable

PACKAGES = ("staragents", "actors", "cluster")
FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class LogFormatter(logging.Formatter):
    """Makes messages printable, because they quote servers, models and file names."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


class LogHandler(logging.StreamHandler[Any]):
    """Writes to the current `sys.stderr`: a live display replaces it to print lines above itself."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(LogFormatter(FORMAT))

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


def configure_logs() -> None:
    """Log our packages at INFO level, at DEBUG if verbose, and other libraries' warnings. For an actor."""
    guard_logs()
    logging.basicConfig(level=logging.WARNING, handlers=[LogHandler()])
    for name in PACKAGES:
        logging.getLogger(name).setLevel(logging.DEBUG if verbose() else logging.INFO)
