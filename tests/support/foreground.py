"""Signals of a process that a user starts on a terminal, whatever pytest itself inherited."""

from __future__ import annotations

import signal


def in_foreground() -> None:
    """For `preexec_fn`: a shell ignores SIGINT for background jobs, and a test may have blocked SIGHUP."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
