"""Identifies the weights behind a model's name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

# Tokenizer, config and adapter are hashed; larger weight files count by size and modification time.
_READ_BYTES = 1 << 25


def model_identity(path: str, commit: str | None = None) -> str:
    """A digest that changes with the model's folder; for a hub id, the id and its `commit`, if that is known
    (`hub_commit`)."""
    folder = Path(path)
    if not folder.is_dir():
        return path if commit is None else f"{path}@{commit}"
    return files_identity(file for file in folder.iterdir() if not file.name.startswith("."))


def files_identity(files: Iterable[Path]) -> str:
    """A digest that changes with these files, in any order and by their names only.

    Files up to 32 MiB count by content, larger ones by size and modification time: hashing the weights of a
    large model would take longer than loading it.
    """
    digest = hashlib.sha256()
    for file in sorted(files):
        if not file.is_file():
            continue
        facts = file.stat()
        if facts.st_size <= _READ_BYTES:
            content = hashlib.sha256(file.read_bytes()).hexdigest()
        else:
            content = f"{facts.st_size}:{facts.st_mtime_ns}"
        digest.update(f"{file.name}\x1f{content}\x1f".encode())
    return digest.hexdigest()[:16]
