"""A file of a dataset, local or remote, and its bytes, decompressed by content (not by name)."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from staragents.base.errors import BadInput
from staragents.files.user_files import open_file

PACKED = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bz2"}
"""Magic bytes of the supported compressions, with pyarrow's name for each."""
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
BLOCK_BYTES = 1 << 20
MAX_ROW_BYTES = 1 << 26
"""Longer lines are invalid: a line is held in memory, and its decoded form takes several times as much."""
MAX_UNPACKED_BYTES = 64 << 30


@dataclass(frozen=True, slots=True)
class DataFile:
    """`name` is for messages, and its suffix is for format detection. `identity` changes with the content.
    `open` returns a raw or buffered byte stream."""

    name: str
    open: Callable[[], Any]
    identity: Callable[[], list[Any]]
    path: Path | None = None
    """The path of a local file."""


def local_file(path: Path, name: str) -> DataFile:
    def identity() -> list[Any]:
        facts = path.stat()
        return [str(path.absolute()), facts.st_size, facts.st_mtime_ns]

    return DataFile(name, lambda: open_file(path), identity, path)


class Content:
    """The decompressed bytes of an open file, read once from start to end."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._started = False
        self._back = io.BytesIO()

    def line(self, limit: int = -1) -> bytes:
        """The next line with its newline, up to `limit` bytes; empty at the end.

        Only newlines end a line. A byte order mark is removed.
        """
        line = self._back.readline(limit)
        if not line.endswith(b"\n") and len(line) != limit:
            line += self._stream.readline(limit - len(line) if limit >= 0 else limit)
        if self._started:
            return line
        self._started = True
        return line.removeprefix(BYTE_ORDER_MARK)

    def lines(self) -> Iterator[bytes]:
        """All lines. Lines beyond MAX_ROW_BYTES come in pieces."""
        while line := self.line(MAX_ROW_BYTES):
            yield line

    def skip_line(self) -> None:
        """Skip to the next line."""
        while (piece := self.line(BLOCK_BYTES)) and not piece.endswith(b"\n"):
            pass

    def block(self, size: int) -> bytes:
        """The next `size` bytes, fewer only at the end."""
        data = self._back.read(size)
        return data + self._stream.read(size - len(data)) if len(data) < size else data

    def put_back(self, data: bytes) -> None:
        """Let `data`, which was read last, be read again."""
        self._back = io.BytesIO(data + self._back.read())


class Unpacked(io.RawIOBase):
    """A decompressed stream. Raises BadInput beyond `max_bytes`."""

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
                f"{self._name}: expected at most {self._max_bytes / (1 << 30):g} GiB when decompressed "
                "(seeds.max_unpacked_gib), got more: is it a zip bomb?"
            )
        buffer[: len(data)] = data
        return len(data)


@contextmanager
def opened(path: Path, name: str) -> Iterator[Content]:
    """Open a file, compressed or not by content. Raises BadInput if it can't be read."""
    with opened_bytes(local_file(path, name)) as stream:
        yield Content(stream)


@contextmanager
def opened_bytes(file: DataFile, max_bytes: int = MAX_UNPACKED_BYTES) -> Iterator[io.BufferedReader]:
    """Open a file as a byte stream, which is seekable unless the file is compressed. Raises BadInput."""
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
