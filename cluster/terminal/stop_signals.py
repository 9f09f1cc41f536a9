"""Ctrl-C, SIGTERM and a closed terminal: each stops a command cleanly, and a run only after saving it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Not SIGQUIT: Ctrl-\\ asks for an immediate end."""

_installed = False


def stop_on_signals() -> None:
    """Make SIGTERM and a closed terminal raise KeyboardInterrupt, as Ctrl-C does."""
    global _installed
    _installed = True
    for number in (signal.SIGTERM, signal.SIGHUP):
        _set(number, _interrupt)


def restore_sigterm() -> None:
    """Restore our handler: Ray replaces it when it starts, and would end the process immediately."""
    if _installed:
        signal.signal(signal.SIGTERM, _interrupt)


def shield_children_from_hangup() -> None:
    """Call this before Ray starts: Ray's processes belong to the terminal too, and survive it only if they
    inherit a blocked SIGHUP, as they do SIGINT. This process still gets it, in a dedicated thread."""
    if threading.current_thread() is not threading.main_thread():
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    threading.Thread(target=_receive_hangup, name="hang-ups", daemon=True).start()


def _receive_hangup() -> None:
    # Python runs the handler in the main thread, whichever thread the signal reaches.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
    threading.Event().wait()


@contextmanager
def draining(drain: Callable[[], None], asked: bool = False) -> Iterator[None]:
    """Call `drain` on each signal. A second signal other than SIGHUP, or the first if a drain was already
    `asked` for, raises KeyboardInterrupt.

    A closing terminal may send SIGHUP twice, because its shell sends it too.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked and number != signal.SIGHUP:
            raise KeyboardInterrupt
        asked = True
        if number == signal.SIGHUP:
            before[number] = signal.SIG_IGN
        drain()

    before = {int(number): _set(number, stop) for number in STOPPING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _set(number: signal.Signals, handler: Callable[[int, FrameType | None], None]) -> signal._HANDLER:
    """Set a signal's handler and return the previous one. A SIGHUP ignored by `nohup` stays ignored."""
    before = signal.getsignal(number)
    if number != signal.SIGHUP or before is not signal.SIG_IGN:
        signal.signal(number, handler)
    return before


def _interrupt(number: int, frame: FrameType | None) -> None:
    if number == signal.SIGHUP:
        # The second one of a closing terminal would interrupt the clean-up.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    raise KeyboardInterrupt
