"""The file of a local bank: records in the order of their commits, only ever appended or cut off."""

from __future__ import annotations

import io
import os
import zlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from struct import Struct
from typing import IO

import msgspec

VERSION = 1
HEAD = Struct("<II")
"""Before each record: its length in bytes and its CRC-32."""
LARGEST = 2**26
"""A longer record is damage: a length that was overwritten must not be allocated."""


class Opening(msgspec.Struct, array_like=True, tag="bank"):
    """The first record: what the file holds. `size` is the vectors' length."""

    version: int
    size: int
    keep: str
    order: int = -1


class Remembered(msgspec.Struct, array_like=True, tag="seed"):
    """A committed seed. Without pairs if there was nothing to remember. `vector`: float32, little-endian."""

    order: int
    seed_id: str
    pairs: tuple[str, ...]
    rewards: tuple[float, ...]
    won: tuple[bool, ...]
    worth: float
    vector: bytes


class Reused(msgspec.Struct, array_like=True, tag="reused"):
    """All memories of earlier runs (`memory.reuse`) precede this record."""

    order: int = -1


class Evicted(msgspec.Struct, array_like=True, tag="evicted"):
    """Memories that the seed at `order` pushed out, by their number in the file."""

    order: int
    numbers: list[int]


Record = Opening | Remembered | Reused | Evicted

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Record)


class OutcomeLog:
    """Append-only, so that cutting off the records after a seed restores the bank as it was at its commit,
    evictions included. A kill may leave half a record at the end; whatever does not match its checksum, and
    all that follows it, counts as never written. Nothing is synced: what a loss of power takes is also in the
    run's shards.
    """

    def __init__(self, path: Path | None, read_only: bool = False) -> None:
        """`path` None keeps the file in memory. Raises OSError."""
        self._path = path
        self._file: io.BytesIO | io.FileIO
        if path is None:
            self._file = io.BytesIO()
        else:
            flags = os.O_RDONLY if read_only else os.O_RDWR | os.O_CREAT
            self._file = io.FileIO(os.open(path, flags, 0o666), "rb" if read_only else "rb+")
        self.end = 0
        """Where the intact records end, in bytes; known after `read`."""

    def read(self) -> Iterator[tuple[int, Record]]:
        """All intact records with their first byte's offset. `append` continues after the last one read."""
        self.end = 0
        with self._reader() as file:
            while (found := _next(file)) is not None:
                record, length = found
                start = self.end
                self.end += length
                yield start, record

    @property
    def surplus(self) -> int:
        """Bytes after the last record that was read."""
        return self._file.seek(0, os.SEEK_END) - self.end

    def cut(self, at: int) -> None:
        """Remove everything from offset `at`. Raises OSError."""
        self._file.truncate(at)
        self.end = at

    def append(self, records: Sequence[Record]) -> None:
        """Write records. Raises OSError, after which none of them counts."""
        bodies = [_encoder.encode(record) for record in records]
        data = memoryview(b"".join(HEAD.pack(len(body), zlib.crc32(body)) + body for body in bodies))
        self._file.seek(self.end)
        written = 0
        try:
            while written < len(data):
                written += self._file.write(data[written:])
        except OSError:
            self._file.truncate(self.end)
            raise
        self.end += len(data)

    def close(self) -> None:
        self._file.close()

    def _reader(self) -> AbstractContextManager[IO[bytes]]:
        if self._path is not None:
            return self._path.open("rb", buffering=2**20)
        self._file.seek(0)
        return nullcontext(self._file)


def _next(file: IO[bytes]) -> tuple[Record, int] | None:
    """The next record and its length in the file; None at the end, or at damage."""
    head = file.read(HEAD.size)
    if len(head) < HEAD.size:
        return None
    length, checksum = HEAD.unpack(head)
    if length > LARGEST:
        return None
    body = file.read(length)
    if len(body) < length or zlib.crc32(body) != checksum:
        return None
    try:
        return _decoder.decode(body), HEAD.size + length
    except msgspec.DecodeError:
        return None


def size_of(path: Path) -> int | None:
    """The length of the vectors in a file; None if it holds no bank, or one of another version."""
    try:
        log = OutcomeLog(path, read_only=True)
    except OSError:
        return None
    first = next((record for _, record in log.read()), None)
    log.close()
    return first.size if isinstance(first, Opening) and first.version == VERSION else None
