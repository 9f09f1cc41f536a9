"""A byte stream of text in any encoding, read as UTF-8."""

from __future__ import annotations

import codecs
import io
from collections.abc import Callable
from typing import IO, Any

from staragents.base.errors import BadInput
from staragents.data.readers.encodings import guessed, invalid_bytes, marked

BLOCK_BYTES = 1 << 20
ENOUGH = 64
"""Characters that are not ASCII, or bytes that are not UTF-8, on which a guess is based."""
MOST_SAMPLE_BYTES = 16 << 20


class Utf8Stream(io.RawIOBase):
    """Passes UTF-8 through and converts everything else.

    Without a named encoding, it is decided at the first byte that is not ASCII, from the bytes that follow:
    everything before is the same in all candidates. The decision depends on the content alone, not on how it
    is read. Bytes that the encoding lacks stay as they are, so that readers find them in their rows.
    """

    def __init__(
        self,
        stream: IO[bytes],
        name: str,
        encoding: str | None,
        told: Callable[[str], None],
        setting: str | None,
    ) -> None:
        """`told` receives a line about an encoding that is not UTF-8, once. `setting` names `encoding`; None:
        the user can't set it."""
        self._stream = stream
        self._name = name
        self._told = told
        self._setting = setting
        self._decoder: Any = None
        self._decided = encoding is not None
        self._started = False
        self._left = memoryview(b"")
        if encoding is not None and codecs.lookup(encoding).name != "utf-8":
            self._decode_as(encoding)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left:
            data = self._stream.read(BLOCK_BYTES)
            text = self._converted(data)
            if not data and not text:
                return 0
            self._left = memoryview(text)
        size = min(len(buffer), len(self._left))
        buffer[:size] = self._left[:size]
        self._left = self._left[size:]
        return size

    def _converted(self, data: bytes) -> bytes:
        if not self._decided:
            data = self._decide(data)
        if self._decoder is None:
            return data
        try:
            text: str = self._decoder.decode(data, final=not data)
        except UnicodeDecodeError as error:
            raise BadInput(f"{self._name}: expected {error.encoding}, got {error.reason}") from error
        return text.encode("utf-8", "surrogateescape")

    def _decide(self, data: bytes) -> bytes:
        """Choose the encoding once `data`, the next block, allows it. Returns `data` and what was read on."""
        if not self._started:
            self._started = True
            if encoding := marked(data):
                self._told(f"read as {encoding.upper()}, as its first bytes show")
                self._decode_as(encoding)
                return data
            if data.startswith(codecs.BOM_UTF8):
                self._decided = True
                return data
        if data.isascii():
            return data
        while sum(invalid_bytes(data)) < ENOUGH and len(data) < MOST_SAMPLE_BYTES:
            if not (more := self._stream.read(BLOCK_BYTES)):
                break
            data += more
        self._decided = True
        if encoding := guessed(data):
            other = (
                f"{self._setting} names another" if self._setting else "if it is another, save it as UTF-8"
            )
            self._told(f"not UTF-8; read as {encoding}, a guess ({other})")
            self._decode_as(encoding)
        elif invalid_bytes(data)[0]:
            unsure = "some bytes are not UTF-8, too few or mixed to guess an encoding"
            self._told(f"{unsure} ({f'{self._setting} names one' if self._setting else 'save it as UTF-8'})")
        return data

    def _decode_as(self, encoding: str) -> None:
        self._decided = True
        self._decoder = codecs.getincrementaldecoder(encoding)("surrogateescape")
