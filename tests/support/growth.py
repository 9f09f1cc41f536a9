"""Tells linear from quadratic time without a number of seconds, which would depend on the machine."""

from __future__ import annotations

import time
from collections.abc import Callable

FACTOR = 4
MOST = 10.0
"""How much longer a text of four times the length may take: linear time gives 4, quadratic 16."""
SHORTEST_S = 0.002
"""A shorter time is noise, so that four times the length may always take this times `MOST`."""
TRIES = 5


def assert_linear(work: Callable[[int], object], size: int) -> None:
    """Fails if `work(4 * size)` takes more than ten times the CPU time of `work(size)`, in the best of five
    tries each. `size` should be large enough that quadratic work takes at least a tenth of a second."""
    work(size)  # what is made once, such as caches, is not counted
    short = long = float("inf")
    for _ in range(TRIES):
        short, long = min(short, _seconds(work, size)), min(long, _seconds(work, FACTOR * size))
        if long <= MOST * max(short, SHORTEST_S):
            return
    raise AssertionError(f"{FACTOR} times the size took {long / short:.1f} times as long: {long:.3f} s")


def _seconds(work: Callable[[int], object], size: int) -> float:
    begin = time.process_time()
    work(size)
    return time.process_time() - begin
