"""What a file says, compressed or not."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq


def text_of(path: Path) -> str:
    """The file's bytes as text; for Parquet also its rows, which are compressed in the file."""
    text = path.read_bytes().decode("utf-8", "replace")
    return f"{text}\n{pq.read_table(path).to_pylist()}" if path.suffix == ".parquet" else text
