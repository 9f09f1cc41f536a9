"""Rows of several splits in one file."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from staragents.config import SeedsConfig
from staragents.data.seed_file import SeedFile


def rows(*splits: object) -> list[dict[str, object]]:
    return [
        {"instruction": f"Say {at}.", "output": f"{at}", "split": split} for at, split in enumerate(splits)
    ]


def notes(path: Path, found: list[dict[str, object]]) -> tuple[str, ...]:
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(found), path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in found), encoding="utf-8")
    scan = SeedFile(SeedsConfig(path=str(path))).scan()
    assert scan.seeds == len(found)
    return scan.notes


@pytest.mark.parametrize("name", ["all.jsonl", "all.parquet"])
def test_held_out_rows_beside_others_are_said_with_their_number(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    many = rows(*["train"] * 1200, "Test", "dev", None)
    said = "its column split names train (1,200 rows), validation (1 rows), test (1 rows); all are read"
    assert notes(path, many)[0].startswith(f"{path}: {said}")


@pytest.mark.parametrize("splits", [("train", "train"), ("test", "test"), ("easy", "train"), (1, 2)])
def test_one_split_or_a_column_about_something_else_needs_no_note(
    tmp_path: Path, splits: tuple[object, ...]
) -> None:
    assert notes(tmp_path / "all.jsonl", rows(*splits)) == ()
