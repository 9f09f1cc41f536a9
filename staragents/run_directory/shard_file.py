"""Reads a file of candidates row by row, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq

from staragents.base.candidate_schema import candidates_of
from staragents.base.records import Candidate

ROWS_PER_BATCH = 256


def read_candidates(path: Path) -> Iterator[Candidate]:
    """Every candidate of a shard, in commit order."""
    # With pre_buffer, the default, all row groups stay in memory.
    with pq.ParquetFile(path, pre_buffer=False) as file:
        for batch in file.iter_batches(batch_size=ROWS_PER_BATCH):
            yield from candidates_of(batch)
