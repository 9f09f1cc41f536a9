"""The checkpoints of one student, from which its training continues after a kill."""

from __future__ import annotations

import logging
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from staragents.files.atomic_file import sync, sync_folder

logger = logging.getLogger(__name__)

COMPLETE = "complete"
"""Empty file in a checkpoint that was saved to its end."""


class Checkpoints:
    """Those in one folder, which transformers calls checkpoint-STEP."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._warned = False

    def complete(self) -> list[Path]:
        """The checkpoints that were saved to their end, the newest first."""
        marked = [path.parent for path in self._folder.glob(f"checkpoint-*/{COMPLETE}")]
        numbered = [path for path in marked if _step(path).isdecimal()]
        return sorted(numbered, key=lambda path: int(_step(path)), reverse=True)

    def save(self, step: int, write: Callable[[], None]) -> None:
        """Have `write` make the checkpoint of this step. Training does not need it: if it can't be made, a
        warning says so once, and the earlier one stays."""
        try:
            write()
            self.finish(step)
        except Exception as error:  # torch and safetensors raise their own types
            if not self._warned:
                self._warned = True
                logger.warning("no checkpoint at step %d in %s: %s", step, self._folder, error)
            if self._at(step) not in self.complete():
                shutil.rmtree(self._at(step), ignore_errors=True)

    def finish(self, step: int) -> None:
        """Mark what was saved at this step as complete, then remove the others: at any time, one is usable,
        also after a power loss. Raises OSError."""
        saved = self._at(step)
        for path in saved.rglob("*"):
            if path.is_file():
                sync(path)
        sync_folder(saved)
        (saved / COMPLETE).touch()
        sync_folder(saved)
        sync_folder(self._folder)
        for other in self._folder.glob("checkpoint-*"):
            if other != saved:
                self.drop(other)

    def drop(self, checkpoint: Path) -> None:
        """Remove a checkpoint, beginning with its mark, as far as that is possible."""
        try:
            (checkpoint / COMPLETE).unlink(missing_ok=True)
            shutil.rmtree(checkpoint)
        except OSError as error:
            logger.warning("%s can't be removed: %s", checkpoint, error.strerror)

    def _at(self, step: int) -> Path:
        return self._folder / f"checkpoint-{step}"


@contextmanager
def checkpoint_folder(cell: Path, training: str) -> Iterator[Path]:
    """A folder for checkpoints within that of a cell, which stays for the driver to remove once the result is
    saved.

    `training`: checksum of everything that decides the weights. Checkpoints of the same cell with another one
    are removed. Where the folder can't be made, as on a node without the driver's file system, a temporary
    one takes its place and is removed at the end.
    """
    folder = cell / training
    if _prepared(folder):
        yield folder
        return
    with TemporaryDirectory(prefix="staragents-", ignore_cleanup_errors=True) as temporary:
        yield Path(temporary)


def _prepared(folder: Path) -> bool:
    try:
        # The driver has made the folder of all cells. Where it lacks, what is made is never removed.
        folder.parent.mkdir(exist_ok=True)
        folder.mkdir(exist_ok=True)
        for other in folder.parent.iterdir():
            if other != folder:
                shutil.rmtree(other, ignore_errors=True)
    except OSError as error:
        reason: str | None = error.strerror
    else:
        reason = None if os.access(folder, os.W_OK | os.X_OK) else "not writable"
    if reason is not None:
        logger.warning(
            "no checkpoint of this student outlives its process: can't write to %s on %s: %s",
            folder, socket.gethostname(), reason,
        )  # fmt: skip
    return reason is None


def _step(checkpoint: Path) -> str:
    return checkpoint.name.partition("-")[2]
