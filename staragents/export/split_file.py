"""Splits rows into training and validation files, each written atomically."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa

from staragents.base.errors import BadInput, RunFailed
from staragents.base.records import stable_seed
from staragents.data.row_file import RowFile
from staragents.files.atomic_file import replacing

SUFFIXES = (".jsonl", ".parquet")
SPLITS = ("train", "validation")


def check_output(path: Path) -> None:
    """Raises BadInput if the path is not a valid export name."""
    if path.suffix not in SUFFIXES:
        raise BadInput(f"-o: expected a name that ends in {' or '.join(SUFFIXES)}, got {path}")
    if path.is_dir():
        raise BadInput(f"-o: expected a file, got the folder {path}")


def split_path(train: Path, split: str) -> Path:
    """The file of a split of the export to `train`."""
    if split == "train":
        return train
    # `datasets` would count train.validation.jsonl to both splits, and reads these two names as meant.
    if train.stem == "train":
        return train.with_stem(split)
    return train.with_suffix(f".{split}{train.suffix}")


def is_validation(seed_id: str, share: float) -> bool:
    """Whether a seed belongs to validation: depends only on its id, so that added seeds move no rows."""
    return stable_seed("validation", seed_id) / 2**31 < share


class SplitFile:
    """Writes rows to `F.jsonl` or, for a share of the seeds, to `F.validation.jsonl`; likewise for Parquet.

    The other part of `train.jsonl` is `validation.jsonl`.

    Files without rows are not written. Files get their final names in `publish`; after an error none remains.
    """

    def __init__(self, path: Path, schema: pa.Schema, share: float) -> None:
        self._path = path
        self._schema = schema
        self._share = share
        self._parts: dict[str, RowFile] = {}
        self._open = ExitStack()
        self._unpublished = ExitStack()

    def __enter__(self) -> SplitFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._open.__exit__(kind, error, trace)
        finally:
            self._unpublished.__exit__(kind, error, trace)

    def add(self, seed_id: str, row: dict[str, Any]) -> None:
        """Raises RunFailed if the disk is full or the folder can't be written to."""
        split = "validation" if is_validation(seed_id, self._share) else "train"
        try:
            if split not in self._parts:
                self._parts[split] = self._new_part(split_path(self._path, split))
            self._parts[split].add(row)
        except OSError as error:
            raise RunFailed(f"-o: can't write {self._path}: {error.strerror or error}") from error

    @property
    def splits(self) -> list[str]:
        """The splits that have rows."""
        return [split for split in SPLITS if split in self._parts]

    def publish(self) -> dict[str, tuple[Path, int]]:
        """Close and rename the files; returns path and number of rows of each split with rows."""
        try:
            self._open.close()
            self._unpublished.close()
        except OSError as error:
            raise RunFailed(f"-o: can't write {self._path}: {error.strerror or error}") from error
        return {split: (split_path(self._path, split), self._parts[split].rows) for split in self.splits}

    def _new_part(self, path: Path) -> RowFile:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._unpublished.enter_context(replacing(path))
        return self._open.enter_context(RowFile(temporary, self._schema, path.suffix))
