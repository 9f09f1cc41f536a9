"""Opens files that a user names: only regular files, without blocking, with a size limit."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

from staragents.base.errors import BadInput

MOST_TEXT_BYTES = 4 << 20
"""Far larger than any config or prompt; YAML of this size already takes a minute to parse."""

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


class NotAFile(OSError):
    """The path exists but is not a regular file."""


def open_file(path: str | Path) -> BinaryIO:
    """Open a regular file for reading bytes. Raises OSError with the problem in `strerror`."""
    try:
        # Without O_NONBLOCK, opening a pipe would wait for its writer. Regular files are not affected.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except ValueError as error:
        raise NotAFile(None, f"the name holds a null byte, got {str(path)!r}") from error
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        # A socket can't be opened.
        raise _not_a_file(os.stat(path).st_mode) from error
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    raise _not_a_file(mode)


def _not_a_file(mode: int) -> NotAFile:
    return NotAFile(None, f"expected a file, got {_KINDS.get(stat.S_IFMT(mode), 'something else')}")


def read_bytes(path: str | Path, most_bytes: int = MOST_TEXT_BYTES) -> bytes:
    """Read a small file. Raises BadInput with one line that begins with the path."""
    try:
        with open_file(os.path.expanduser(path)) as file:
            content = file.read(most_bytes + 1)
    except FileNotFoundError as error:
        broken = "a broken symbolic link" if os.path.islink(path) else "no such file"
        raise BadInput(f"{path}: expected a file, got {broken}") from error
    except NotAFile as error:
        raise BadInput(f"{path}: {error.strerror}") from error
    except OSError as error:
        raise BadInput(f"{path}: can't be read: {error.strerror or error}") from error
    if len(content) > most_bytes:
        raise BadInput(f"{path}: expected a text file of at most {most_bytes >> 20} MiB, got a larger one")
    return content


def read_text(path: str | Path, most_bytes: int = MOST_TEXT_BYTES) -> str:
    """Read a small UTF-8 file, with or without a byte order mark. Raises BadInput."""
    content = read_bytes(path, most_bytes)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadInput(f"{path}:{line}: expected UTF-8, got the byte {content[error.start]:#04x}") from error
    if "\0" in text:
        raise BadInput(f"{path}: expected a text file, got a binary one")
    return text
