"""Which weights a model's name stands for."""

from __future__ import annotations

import hashlib
from pathlib import Path

# Tokenizer, config, adapter: read. Weights beyond it: by size and time of writing.
_READ_BYTES = 1 << 25


def model_identity(path: str) -> str:
    """A digest that changes when a model's folder does; a hub id is its own identity.

    Files up to 32 MiB count by their content, larger ones by size and time of writing: hashing the weights of
    a large model would take longer than loading it.
    """
    folder = Path(path)
    if not folder.is_dir():
        return path
    digest = hashlib.sha256()
    for file in sorted(folder.iterdir()):
        if not file.is_file() or file.name.startswith("."):
            continue
        facts = file.stat()
        if facts.st_size <= _READ_BYTES:
            content = hashlib.sha256(file.read_bytes()).hexdigest()
        else:
            content = f"{facts.st_size}:{facts.st_mtime_ns}"
        digest.update(f"{file.name}\x1f{content}\x1f".encode())
    return digest.hexdigest()[:16]
