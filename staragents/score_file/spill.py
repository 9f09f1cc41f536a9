"""External sort of rows by known output indices."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.ipc

BUCKET_ROWS = 20_000
# Each bucket is an open file.
MOST_BUCKETS = 500
_INDEX = "__index"


def sorted_tables(
    tables: Iterable[tuple[pa.Table, np.ndarray]], rows: int, folder: Path
) -> Iterator[pa.Table]:
    """The rows of `tables`, sorted by their output indices among all `rows`.

    Rows are written to buckets of consecutive indices under `folder`, and the buckets are sorted one at a
    time: memory for one bucket, two passes over the data.
    """
    size = max(BUCKET_ROWS, -(-rows // MOST_BUCKETS))
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    writers: dict[int, pa.ipc.RecordBatchStreamWriter] = {}
    try:
        for table, indices in tables:
            placed = table.append_column(_INDEX, pa.array(indices, pa.int64()))
            for bucket in np.unique(indices // size).tolist():
                if bucket not in writers:
                    writers[bucket] = pa.ipc.new_stream(str(folder / str(bucket)), placed.schema)
                writers[bucket].write_table(placed.filter(pa.array(indices // size == bucket)))
    finally:
        for writer in writers.values():
            writer.close()
    for bucket in sorted(writers):
        with pa.ipc.open_stream(str(folder / str(bucket))) as reader:
            yield reader.read_all().sort_by(_INDEX).drop_columns([_INDEX])
        (folder / str(bucket)).unlink()
    folder.rmdir()
