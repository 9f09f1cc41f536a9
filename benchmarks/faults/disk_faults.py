"""A disk that fills up or fails while a run writes to it: the run ends with one line, and the same command
resumes it once the disk is usable again."""

from __future__ import annotations

import time
from collections.abc import Callable

from .job import COMMAND_S
from .scene import Scene, Struck

FAILED = 1
AGAIN_S = 0.2


def disk_full(scene: Scene) -> Struck | None:
    return _filled(scene, scene.disk.fill, "no byte left")


def inodes_full(scene: Scene) -> Struck | None:
    return _filled(scene, scene.disk.fill_inodes, "no inode left")


def read_only(scene: Scene) -> Struck | None:
    scene.disk.fail()
    try:
        scene.job.must_end(FAILED, str(scene.job.run.path))
    finally:
        scene.job.kill()
        scene.cluster.wait_for_writers()
        scene.disk.mend()
    scene.job.start()
    return Struck("read-only after an error")


def _filled(scene: Scene, fill: Callable[[], None], what: str) -> Struck | None:
    """Keep filling the disk, including what the run frees, until the run has ended."""
    deadline = time.monotonic() + COMMAND_S
    while scene.job.process.poll() is None and time.monotonic() < deadline:
        fill()
        time.sleep(AGAIN_S)
    try:
        if scene.job.process.poll() == 0:
            return None
        scene.job.must_end(FAILED, str(scene.job.run.path))
        scene.cluster.wait_for_writers()
    finally:
        scene.disk.free()
    scene.job.start()
    return Struck(what)
