"""The quarantine names bad seed rows."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from staragents.config import SeedsConfig
from staragents.data.row_file import RowFile
from staragents.data.seed_file import SeedFile
from staragents.run.quarantine import QUARANTINE_SCHEMA, Quarantine


def test_a_bad_row_of_a_file_whose_name_is_not_utf8_is_named(tmp_path: Path) -> None:
    named = tmp_path / os.fsdecode(b"caf\xe9.jsonl")
    try:
        named.write_text('{"instruction": "Ask."}\n', encoding="utf-8")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    seeds = SeedFile(SeedsConfig(path=str(tmp_path)))
    with RowFile(tmp_path / "quarantine.parquet", QUARANTINE_SCHEMA, ".parquet") as file:
        Quarantine(file).add_bad_rows(seeds)
    (row,) = pq.read_table(tmp_path / "quarantine.parquet").to_pylist()
    assert row["id"] == f"{tmp_path}/caf\ufffd.jsonl:1"
