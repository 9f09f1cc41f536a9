"""The bytes of a data file: unpacked if they are packed, whatever its name says."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from staragents.errors import BadInput
from staragents.rows.data_file import DataFile, local_file

PACKED = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bz2"}
"""The first bytes of each way of packing that we undo, by pyarrow's name for it."""
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
BLOCK_BYTES = 1 << 20
MAX_ROW_BYTES = 1 << 26
"""A longer line is no row: it would be in memory as a whole, and its decoded form several times over."""
MAX_UNPACKED_BYTES = 64 << 30


class Content:
    """The unpacked bytes of an open file, from start to end once."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._started = False

    def line(self, limit: int = -1) -> bytes:
        """The next line with its newline, at most `limit` bytes of it; empty at the end.

        Lines end at newlines only. The first comes without a byte order mark.
        """
        line = self._stream.readline(limit)
        if self._started:
            return line
        self._started = True
        return line.removeprefix(BYTE_ORDER_MARK)

    def lines(self) -> Iterator[bytes]:
        """Lines beyond MAX_ROW_BYTES come in pieces."""
        while line := self.line(MAX_ROW_BYTES):
            yield line

    def skip_line(self) -> None:
        """Read on to the next line, keeping nothing."""
        while (piece := self.line(BLOCK_BYTES)) and not piece.endswith(b"\n"):
            pass

    def block(self, size: int) -> bytes:
        """The next `size` bytes, fewer only at the end."""
        return self._stream.read(size)


class Unpacked(io.RawIOBase):
    """What a packed stream holds. Stops a stream that unpacks to more than `max_bytes`."""

    def __init__(self, packed: IO[bytes], way: str, name: str, max_bytes: int) -> None:
        self._stream = pa.CompressedInputStream(packed, way)
        self._way = way
        self._name = name
        self._max_bytes = max_bytes
        self._bytes = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._stream.read(len(buffer))
        except (pa.ArrowException, OSError) as error:
            raise BadInput(f"{self._name}: the {self._way} file is damaged: {error}") from error
        self._bytes += len(data)
        if self._bytes > self._max_bytes:
            raise BadInput(
                f"{self._name}: expected at most {self._max_bytes / (1 << 30):g} GiB when unpacked "
                "(seeds.max_unpacked_gib), got more: is it a zip bomb?"
            )
        buffer[: len(data)] = data
        return len(data)


@contextmanager
def opened(path: Path, name: str) -> Iterator[Content]:
    """Open a plain or packed file, told apart by content. Raises BadInput if it can't be read."""
    with opened_bytes(local_file(path, name)) as stream:
        yield Content(stream)


@contextmanager
def opened_bytes(file: DataFile, max_bytes: int = MAX_UNPACKED_BYTES) -> Iterator[io.BufferedReader]:
    """The same as a stream of bytes, which can seek if the file is not packed."""
    try:
        with closing(file.open()) as raw:
            stream: io.BufferedReader = io.BufferedReader(raw, BLOCK_BYTES)
            head = stream.peek(4)
            way = next((way for magic, way in PACKED.items() if head.startswith(magic)), None)
            if way is not None:
                stream = io.BufferedReader(Unpacked(stream, way, file.name, max_bytes), BLOCK_BYTES)
            yield stream
    except OSError as error:
        raise BadInput(f"{file.name}: can't be read: {error.strerror or error}") from error
