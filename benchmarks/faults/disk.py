"""A small file system of its own for run directories, which can be full or fail while a run writes to it."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import time
from pathlib import Path

SIZE = "160M"
INODES = 6000
BLOCKS = (1 << 20, 4096, 1)
BUSY_S = 30.0


class SmallDisk:
    """An ext4 in a file. It stays mounted when the benchmark is killed, and its file when the machine is.

    A tmpfs can't become read-only as long as a run holds its lock; ext4 does after an error of the device.
    """

    def __init__(self, image: Path, mount: Path) -> None:
        """`mount` is made; it is a plain folder until the disk is attached."""
        mount.mkdir(exist_ok=True)
        self.mount = mount
        self._image = image
        self._ballast = mount / "ballast"

    def attach(self) -> str:
        """Mount it, made anew if it is not there yet; says why that is not possible here, or nothing."""
        if self.mount.is_mount():
            self.free()
            return ""
        try:
            if not self._image.exists():
                _command("truncate", "-s", SIZE, str(self._image))
                _command("mkfs.ext4", "-q", "-m", "0", "-N", str(INODES), str(self._image))
            else:
                self._check()
            self._mount()
        except (OSError, subprocess.CalledProcessError) as error:
            self._image.unlink(missing_ok=True)
            return (getattr(error, "stderr", "") or str(error)).strip().splitlines()[0]
        self.free()
        return ""

    def detach(self) -> None:
        """Unmount it; its file keeps a run that is not finished."""
        if self.mount.is_mount():
            self._unmount()

    def fill(self) -> None:
        """Until not one more byte can be written."""
        with self._ballast.open("ab", buffering=0) as file:
            for size in BLOCKS:
                try:
                    while True:
                        file.write(bytes(size))
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise

    def fill_inodes(self) -> None:
        """Until not one more file can be made."""
        folder = self.mount / "many"
        folder.mkdir(exist_ok=True)
        number = sum(1 for _ in folder.iterdir())
        try:
            while True:
                (folder / str(number)).touch()
                number += 1
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise

    def free(self) -> None:
        """Remove what filled it."""
        self._ballast.unlink(missing_ok=True)
        shutil.rmtree(self.mount / "many", ignore_errors=True)

    def fail(self) -> None:
        """Report an error to the file system, which becomes read-only at once with what is open on it."""
        device = os.path.basename(_command("findmnt", "-n", "-o", "SOURCE", str(self.mount)).strip())
        Path("/sys/fs/ext4", device, "trigger_fs_error").write_text("by benchmarks/chaos.py")

    def mend(self) -> None:
        """As an administrator does: unmount, check, mount."""
        self._unmount()
        self._check()
        self._mount()

    def _mount(self) -> None:
        _command("mount", "-o", "loop,errors=remount-ro", str(self._image), str(self.mount))

    def _unmount(self) -> None:
        deadline = time.monotonic() + BUSY_S
        while True:
            try:
                _command("umount", str(self.mount))
                return
            except subprocess.CalledProcessError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def _check(self) -> None:
        """Exit code 1 says that something was mended."""
        done = subprocess.run(["e2fsck", "-p", str(self._image)], capture_output=True, text=True)
        if done.returncode > 1:
            raise subprocess.CalledProcessError(done.returncode, done.args, done.stdout, done.stderr)


def _command(*arguments: str) -> str:
    return subprocess.run(arguments, check=True, capture_output=True, text=True).stdout
