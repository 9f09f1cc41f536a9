"""Splits a table into training and validation files, each written atomically."""

from __future__ import annotations

import json
import os
import uuid
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from staragents.base.errors import BadInput, RunFailed
from staragents.base.records import stable_seed

SUFFIXES = (".jsonl", ".parquet")
ROWS_PER_GROUP = 1024
SPLITS = ("train", "validation")


def check_output(path: Path) -> None:
    """Raises BadInput if the path is not a valid export name."""
    if path.suffix not in SUFFIXES:
        raise BadInput(f"-o: expected a name that ends in {' or '.join(SUFFIXES)}, got {path}")
    if path.is_dir():
        raise BadInput(f"-o: expected a file, got the folder {path}")


def is_validation(seed_id: str, share: float) -> bool:
    """Whether a seed belongs to validation: depends only on its id, so that added seeds move no rows."""
    return stable_seed("validation", seed_id) / 2**31 < share


class SplitFile:
    """Writes rows to `F.jsonl` or, for a share of the seeds, to `F.validation.jsonl`; likewise for Parquet.

    Files without rows are not written. Files get their final names in `publish`; without it none remains.
    """

    def __init__(self, path: Path, schema: pa.Schema, share: float) -> None:
        self._path = path
        self._schema = schema
        self._share = share
        self._parts: dict[str, _Part] = {}

    def __enter__(self) -> SplitFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for part in self._parts.values():
            part.discard()

    def add(self, seed_id: str, row: dict[str, Any]) -> None:
        """Raises RunFailed if the disk is full or the folder can't be written to."""
        split = "validation" if is_validation(seed_id, self._share) else "train"
        try:
            if split not in self._parts:
                self._parts[split] = _Part(self._named(split), self._schema)
            self._parts[split].add(row)
        except OSError as error:
            raise RunFailed(f"-o: can't write {self._path}: {error.strerror or error}") from error

    @property
    def has_train(self) -> bool:
        return "train" in self._parts

    def publish(self) -> dict[str, tuple[Path, int]]:
        """Close and rename the files; returns path and number of rows of each split with rows."""
        try:
            for part in self._parts.values():
                part.close()
            for part in self._parts.values():
                os.replace(part.temporary, part.path)
        except OSError as error:
            raise RunFailed(f"-o: can't write {self._path}: {error.strerror or error}") from error
        return {
            split: (self._parts[split].path, self._parts[split].rows)
            for split in SPLITS
            if split in self._parts
        }

    def _named(self, split: str) -> Path:
        return self._path if split == "train" else self._path.with_suffix(f".{split}{self._path.suffix}")


class _Part:
    """A file under a temporary name until it is published."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.path = path
        self.temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
        self.rows = 0
        self._schema = schema
        self._group: list[dict[str, Any]] = []
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: IO[bytes] | pq.ParquetWriter
        if path.suffix == ".parquet":
            self._file = pq.ParquetWriter(self.temporary, schema, compression="zstd")
        else:
            self._file = self.temporary.open("wb")

    def add(self, row: dict[str, Any]) -> None:
        self.rows += 1
        self._group.append(row)
        if len(self._group) == ROWS_PER_GROUP:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._file.close()

    def discard(self) -> None:
        self._file.close()
        self.temporary.unlink(missing_ok=True)

    def _flush(self) -> None:
        rows, self._group = self._group, []
        if isinstance(self._file, pq.ParquetWriter):
            self._file.write_table(pa.Table.from_pylist(rows, schema=self._schema))
        else:
            self._file.writelines(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)
