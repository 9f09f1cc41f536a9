"""The bytes of a seed file: unpacked if need be, hashed as they are read."""

from __future__ import annotations

import difflib
import gzip
import hashlib
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from staragents.errors import BadInput

BUNDLED = {"bundled:self-instruct": "self_instruct_seeds.jsonl"}
GZIP_MAGIC = b"\x1f\x8b"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
BLOCK_BYTES = 1 << 20


def seed_path(path: str) -> Path:
    """The file behind `seeds.path`; a relative one starts at the working directory.

    Raises BadInput with the dotted key if there is no such file.
    """
    if path.startswith("bundled:"):
        if path not in BUNDLED:
            near = difflib.get_close_matches(path, BUNDLED, n=1, cutoff=0.0)
            raise BadInput(f"seeds.path: expected a bundled file such as {near[0]}, got {path}")
        return Path(__file__).parents[1] / "data" / BUNDLED[path]
    if not path.strip():
        raise BadInput("seeds.path: expected a JSONL or JSON file, got nothing")
    file = Path(path).expanduser()
    if file.is_file():
        return file
    if file.is_dir():
        raise BadInput(f"seeds.path: expected a JSONL or JSON file, got the folder {path}")
    problem = "something that is no file" if file.exists() else "no such file"
    raise BadInput(f"seeds.path: expected a JSONL or JSON file, got {problem}: {path}")


class Content:
    """The unpacked bytes of an open seed file, from start to end once."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._digest = hashlib.sha256()

    def lines(self) -> Iterator[bytes]:
        """Lines as they end in the file, at newlines only; the first without a byte order mark."""
        for number, line in enumerate(self._stream):
            self._digest.update(line)
            yield line.removeprefix(BYTE_ORDER_MARK) if number == 0 else line

    def rest(self) -> bytes:
        """Everything that was not read yet."""
        data = self._stream.read()
        self._digest.update(data)
        return data

    def sha256(self) -> str:
        """Hex digest of the whole content, whatever of it was needed."""
        while block := self._stream.read(BLOCK_BYTES):
            self._digest.update(block)
        return self._digest.hexdigest()


@contextmanager
def opened(path: Path, name: str) -> Iterator[Content]:
    """Open a plain or gzip file, told apart by content. Raises BadInput if it can't be read."""
    try:
        with path.open("rb") as raw:
            packed = raw.read(len(GZIP_MAGIC)) == GZIP_MAGIC
            raw.seek(0)
            if not packed:
                yield Content(raw)
                return
            with gzip.GzipFile(fileobj=raw) as unpacked:
                yield Content(unpacked)  # type: ignore[arg-type]
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BadInput(f"{name}: the gzip file is damaged: {error}") from error
    except OSError as error:
        raise BadInput(f"{name}: can't be read: {error.strerror or error}") from error
