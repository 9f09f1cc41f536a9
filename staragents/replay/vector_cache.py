"""Embeddings of a table's instructions, kept in the user's cache folder."""

from __future__ import annotations

import hashlib
import logging
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from staragents.base.environment import cache_dir
from staragents.files.atomic_file import replacing

logger = logging.getLogger(__name__)

Vectors = NDArray[np.float32]
FOLDER = "embeddings"


def cached_vectors(
    texts: Sequence[str], embedder: str, embed: Callable[[Sequence[str]], Vectors], folder: Path | None = None
) -> Vectors:
    """`embed(texts)`, from the cache if it was computed before; unit vectors, shape (texts, size).

    The name of the file is a hash of the texts and the embedder; a local model also counts with the time at
    which its files last changed. Files are written atomically, so that two writers don't disturb each other.
    A damaged file is computed anew (its checksum is in the file), and a folder that can't be written is
    ignored.
    """
    path = (folder or cache_dir() / FOLDER) / f"{_key(texts, embedder)}.npz"
    found = _read(path, len(texts))
    if found is not None:
        return found
    vectors = embed(texts)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez(file, vectors=vectors)
    except OSError as error:
        logger.info("%s: embeddings are not cached: %s", path.parent, error)
    return vectors


def _read(path: Path, texts: int) -> Vectors | None:
    try:
        with np.load(path, allow_pickle=False) as file:
            vectors = file["vectors"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        logger.info("%s is damaged and computed anew: %s", path, error)
        return None
    usable = vectors.ndim == 2 and len(vectors) == texts and vectors.dtype == np.float32
    return vectors if usable and np.isfinite(vectors).all() else None


def _key(texts: Sequence[str], embedder: str) -> str:
    digest = hashlib.sha256(embedder.encode())
    local = Path(embedder).expanduser()
    if local.is_dir():
        digest.update(str(max(path.stat().st_mtime_ns for path in (local, *local.rglob("*")))).encode())
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        digest.update(f"\0{len(data)}\0".encode() + data)
    return digest.hexdigest()[:40]
