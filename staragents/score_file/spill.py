"""Sorting more rows than fit into memory, by places known beforehand."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.ipc

BUCKET_ROWS = 20_000
# Each is an open file.
MOST_BUCKETS = 500
_PLACE = "__place"


def sorted_tables(
    tables: Iterable[tuple[pa.Table, np.ndarray]], rows: int, folder: Path
) -> Iterator[pa.Table]:
    """The rows of `tables`, each with its place among all `rows`, in the order of their places.

    Rows go into files of neighbouring places under `folder`, and these are sorted one at a time: memory for
    one of them, two passes over the data.
    """
    size = max(BUCKET_ROWS, -(-rows // MOST_BUCKETS))
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    writers: dict[int, pa.ipc.RecordBatchStreamWriter] = {}
    try:
        for table, places in tables:
            placed = table.append_column(_PLACE, pa.array(places, pa.int64()))
            for bucket in np.unique(places // size).tolist():
                if bucket not in writers:
                    writers[bucket] = pa.ipc.new_stream(str(folder / str(bucket)), placed.schema)
                writers[bucket].write_table(placed.filter(pa.array(places // size == bucket)))
    finally:
        for writer in writers.values():
            writer.close()
    for bucket in sorted(writers):
        with pa.ipc.open_stream(str(folder / str(bucket))) as reader:
            yield reader.read_all().sort_by(_PLACE).drop_columns([_PLACE])
        (folder / str(bucket)).unlink()
    folder.rmdir()
