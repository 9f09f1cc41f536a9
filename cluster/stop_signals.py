"""Ctrl-C, SIGTERM and a closed terminal: each stops a command in order, and a run only once it is saved."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Not SIGQUIT: whoever presses Ctrl-\\ wants no order."""

_installed = False


def stop_on_signals() -> None:
    """From here on SIGTERM and a closed terminal raise KeyboardInterrupt, as Ctrl-C does."""
    global _installed
    _installed = True
    for number in (signal.SIGTERM, signal.SIGHUP):
        _set(number, _interrupt)


def take_back_sigterm() -> None:
    """Ray takes SIGTERM over when it starts, and would end the process where it stands."""
    if _installed:
        signal.signal(signal.SIGTERM, _interrupt)


def spare_children_hang_ups() -> None:
    """Call it before Ray starts: Ray's processes belong to the terminal too, and outlive it only if they
    inherit a blocked SIGHUP, as they do SIGINT. We still get it, in a thread that does nothing else."""
    if threading.current_thread() is not threading.main_thread():
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    threading.Thread(target=_receive_hang_ups, name="hang-ups", daemon=True).start()


def _receive_hang_ups() -> None:
    # Python runs the handler in the main thread, whichever thread the signal reaches.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
    threading.Event().wait()


@contextmanager
def draining(drain: Callable[[], None], asked: bool = False) -> Iterator[None]:
    """Call `drain` at each signal meanwhile; at one other than SIGHUP that is not the first, or after it was
    `asked` before, raise KeyboardInterrupt.

    A terminal that closes may send SIGHUP twice, as its shell does so too.
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
    """Give a signal a handler. `nohup` has SIGHUP ignored, and it stays so. Returns the handler before."""
    before = signal.getsignal(number)
    if number != signal.SIGHUP or before is not signal.SIG_IGN:
        signal.signal(number, handler)
    return before


def _interrupt(number: int, frame: FrameType | None) -> None:
    if number == signal.SIGHUP:
        # The second one of a terminal that closes would cut off the clean-up.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    raise KeyboardInterrupt
