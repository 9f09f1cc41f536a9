"""A small file system for run directories, which can fill up or fail while a run writes to it."""

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
    """An ext4 in a file. It stays mounted if the benchmark is killed; the file survives a reboot.

    A tmpfs can't become read-only while a run holds its lock; ext4 does after a device error.
    """

    def __init__(self, image: Path, mount: Path) -> None:
        """Creates `mount`, which is a plain folder until the disk is attached."""
        mount.mkdir(exist_ok=True)
        self.mount = mount
        self._image = image
        self._ballast = mount / "ballast"

    def attach(self) -> str:
        """Create the disk if needed and mount it. Returns why that is impossible here, or an empty string."""
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
        """Unmount it; the file keeps an unfinished run."""
        if self.mount.is_mount():
            self._unmount()

    def fill(self) -> None:
        """Fill the disk until not a byte is left."""
        with self._ballast.open("ab", buffering=0) as file:
            for size in BLOCKS:
                try:
                    while True:
                        file.write(bytes(size))
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise

    def fill_inodes(self) -> None:
        """Create files until no inode is left."""
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
        """Remove the files that fill it."""
        self._ballast.unlink(missing_ok=True)
        shutil.rmtree(self.mount / "many", ignore_errors=True)

    def fail(self) -> None:
        """Report an error to the file system, which immediately becomes read-only, including open files."""
        device = os.path.basename(_command("findmnt", "-n", "-o", "SOURCE", str(self.mount)).strip())
        Path("/sys/fs/ext4", device, "trigger_fs_error").write_text("by benchmarks/chaos.py")

    def mend(self) -> None:
        """Repair it as an administrator would: unmount, check, mount."""
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
        """Exit code 1 means that errors were repaired."""
        done = subprocess.run(["e2fsck", "-p", str(self._image)], capture_output=True, text=True)
        if done.returncode > 1:
            raise subprocess.CalledProcessError(done.returncode, done.args, done.stdout, done.stderr)


def _command(*arguments: str) -> str:
    return subprocess.run(arguments, check=True, capture_output=True, text=True).stdout
