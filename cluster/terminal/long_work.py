"""Set-up for commands that run for hours and must survive a closed terminal."""

from __future__ import annotations

import resource

from cluster.terminal.stop_signals import shield_children_from_hangup
from staragents.base.errors import BadInput
from staragents.files.standard_streams import outlive_readers

OPEN_FILES = 1024
"""The largest process of a local Ray needs several hundred; with fewer, Ray dies while it starts."""


def begin_long_work() -> None:
    """Survive the loss of terminal and output, and raise the limit on open files. Call it before Ray starts,
    which inherits all of it. Raises BadInput if the limit on open files is too low."""
    _raise_open_files()
    outlive_readers()
    shield_children_from_hangup()


def _raise_open_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= OPEN_FILES:
        return
    if hard != resource.RLIM_INFINITY and hard < OPEN_FILES:
        raise BadInput(f"ulimit -n: expected at least {OPEN_FILES} open files, got {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, hard))
