"""The working directory of a run's actors: that of the command, from which relative paths in a config start.

A process of a cluster begins where its node was started. Paths are not made absolute, because a run's config,
fingerprint and messages keep the text that the user gave.
"""

from __future__ import annotations

import logging
import os

from staragents.base.environment import WORKING_DIR, ray_address, working_dir

logger = logging.getLogger(__name__)


def working_dir_environment() -> dict[str, str]:
    """Environment variables for an actor (for `runtime_env`). A local Ray needs none: it begins where the
    command does."""
    return {WORKING_DIR: os.getcwd()} if ray_address() else {}


def enter_working_dir() -> None:
    """Each actor's constructor calls this before it uses a path, so that a restarted actor does too."""
    folder = working_dir()
    if folder is None:
        return
    try:
        os.chdir(folder)
    except OSError as error:
        # Whatever is not found afterwards is an error of its own.
        logger.info("relative paths start at %s: can't use %s: %s", os.getcwd(), folder, error.strerror)
