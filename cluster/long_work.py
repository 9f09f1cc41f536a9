"""What a command of hours sets up first: whoever started it may leave."""

from __future__ import annotations

import resource

from cluster.stop_signals import spare_children_hang_ups
from staragents.errors import BadInput
from staragents.standard_streams import outlive_readers

OPEN_FILES = 1024
"""A local Ray takes some hundred in its largest process, and with fewer dies while it starts."""


def begin_long_work() -> None:
    """Outlive terminal and output, and have enough open files. Before Ray starts, which inherits all of it.
    Raises BadInput if the limit of open files is too low."""
    _raise_open_files()
    outlive_readers()
    spare_children_hang_ups()


def _raise_open_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= OPEN_FILES:
        return
    if hard != resource.RLIM_INFINITY and hard < OPEN_FILES:
        raise BadInput(f"ulimit -n: expected at least {OPEN_FILES} open files, got {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, hard))
