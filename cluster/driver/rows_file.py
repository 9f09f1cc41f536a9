"""Rows from Python as a file, so that a run or a score command can read them again."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from staragents.files.atomic_file import sync, sync_folder
from staragents.run_directory.file_facts import FileFacts, facts_of, mismatch
from staragents.score_file.input_columns import json_text

DIGITS = 12
"""Of the checksum, in the name of a file."""


def file_of(dataset: Any, output: Path) -> str:
    """A path unchanged; rows are written to a JSONL file next to `output`.

    A file with other rows is left alone: a run in progress may be reading it, and this call may be refused.
    The same rows are found in the same file again.
    """
    if isinstance(dataset, str | Path):
        return str(dataset)
    output.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=output.parent, prefix=f".{output.name}.") as folder:
        written = Path(folder) / "rows.jsonl"
        with written.open("w", encoding="utf-8") as lines:
            lines.writelines(json_text(row) + "\n" for row in _rows(dataset))
        facts = facts_of(written)
        file = _place(output, facts)
        if mismatch(file, facts, deep=True) is not None:
            sync(written)
            os.replace(written, file)
            sync_folder(file.parent)
    return str(file)


def _place(output: Path, facts: FileFacts) -> Path:
    """The file for rows with these facts: the first data of an output has the plain name."""
    plain = output.with_name(f"{output.name}.rows.jsonl")
    other = output.with_name(f"{output.name}.rows-{facts['sha256'][:DIGITS]}.jsonl")
    if other.exists():
        return other
    return other if plain.exists() and mismatch(plain, facts, deep=True) is not None else plain


def _rows(dataset: Any) -> Iterator[Mapping[str, Any]]:
    if hasattr(dataset, "iter_rows"):  # polars
        yield from dataset.iter_rows(named=True)
    elif hasattr(dataset, "to_dict") and hasattr(dataset, "columns"):  # pandas
        yield from dataset.to_dict("records")
    elif isinstance(dataset, Iterable) and not isinstance(dataset, Mapping):
        yield from dataset
    else:
        raise TypeError(f"expected a path, a DataFrame, a Dataset or rows, got {type(dataset).__name__}")
