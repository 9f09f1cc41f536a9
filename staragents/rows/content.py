"""The bytes of a data file: unpacked if need be, hashed as they are read."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from staragents.errors import BadInput

GZIP_MAGIC = b"\x1f\x8b"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
BLOCK_BYTES = 1 << 20


class Content:
    """The unpacked bytes of an open file, from start to end once."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._digest = hashlib.sha256()
        self._started = False

    def line(self, limit: int = -1) -> bytes:
        """The next line with its newline, at most `limit` bytes of it; empty at the end.

        Lines end at newlines only. The first comes without a byte order mark.
        """
        line = self._stream.readline(limit)
        self._digest.update(line)
        if self._started:
            return line
        self._started = True
        return line.removeprefix(BYTE_ORDER_MARK)

    def lines(self) -> Iterator[bytes]:
        while line := self.line():
            yield line

    def block(self, size: int) -> bytes:
        """The next `size` bytes, fewer only at the end."""
        data = self._stream.read(size)
        self._digest.update(data)
        return data

    def sha256(self) -> str:
        """Hex digest of the whole content, whatever of it was needed."""
        while self.block(BLOCK_BYTES):
            pass
        return self._digest.hexdigest()


@contextmanager
def opened(path: Path, name: str) -> Iterator[Content]:
    """Open a plain or gzip file, told apart by content. Raises BadInput if it can't be read."""
    with opened_bytes(path, name) as stream:
        yield Content(stream)


@contextmanager
def opened_bytes(path: Path, name: str) -> Iterator[IO[bytes]]:
    """The same as a binary stream that can seek."""
    try:
        with path.open("rb") as raw:
            packed = raw.read(len(GZIP_MAGIC)) == GZIP_MAGIC
            raw.seek(0)
            if not packed:
                yield raw
                return
            with gzip.GzipFile(fileobj=raw) as unpacked:
                yield unpacked  # type: ignore[misc]
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BadInput(f"{name}: the gzip file is damaged: {error}") from error
    except OSError as error:
        raise BadInput(f"{name}: can't be read: {error.strerror or error}") from error
