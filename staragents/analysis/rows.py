"""Streams candidate rows and seeds from the shards, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

Row = dict[str, Any]

ROWS_PER_BATCH = 256


def read_rows(shards: Iterable[Path]) -> Iterator[Row]:
    """Every candidate as a dict by column name (maps as dicts), in commit order."""
    for shard in shards:
        with pq.ParquetFile(shard) as file:
            for batch in file.iter_batches(batch_size=ROWS_PER_BATCH):
                yield from batch.to_pylist(maps_as_pydicts="strict")


def read_seeds(shards: Iterable[Path]) -> Iterator[list[Row]]:
    """The candidates of each seed, in commit order."""
    for _, rows in groupby(read_rows(shards), key=lambda row: row["seed_id"]):
        yield list(rows)


def is_generated(row: Row) -> bool:
    """Whether the candidate has a text that passed the reject rules, whatever happened to it later."""
    return bool(row["messages"])


def is_scored(row: Row) -> bool:
    return row["target_ifd"] is not None and row["larger_ifd"] is not None


def response_of(messages: list[dict[str, str]]) -> str:
    return messages[-1]["content"]


def instruction_of(messages: list[dict[str, str]]) -> str:
    return messages[-2]["content"]
