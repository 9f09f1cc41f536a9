"""`score` writes its output whatever is in the columns that no conversation uses, and whatever files are
called."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from staragents.data.readers.table_values import column_values
from staragents.score_file.input_columns import TEXT
from tests.support.score_jobs import job, jsonl, row

ROWS = 120  # More than are read for notes.
FORMATS = [".parquet", ".jsonl"]

COLUMNS: dict[str, tuple[pa.Array, Any]] = {
    "text that is not UTF-8": (
        pa.array([b"fine"] * (ROWS - 1) + [b"caf\xe9"]).view(pa.string()),
        "caf\ufffd",
    ),
    "objects without fields": (pa.array([{}] * ROWS, pa.struct([])), {}),
    "lists of objects without fields": (pa.array([[{}]] * ROWS, pa.large_list(pa.struct([]))), [{}]),
    "dates after 9999": (
        pa.array([0] * (ROWS - 1) + [506804860800000000]).cast(pa.timestamp("us")),
        "18030-01-03 00:00:00.000000",
    ),
    "intervals": (pa.array([(1, 2, 3)] * ROWS, pa.month_day_nano_interval()), [1, 2, 3]),
}


def table_with(column: pa.Array, folder: Path) -> Path:
    """As Parquet or, of a type that Parquet lacks, as Arrow."""
    rows = pa.Table.from_pylist([row(n) for n in range(ROWS)])
    table = rows.append_column("extra", column)
    try:
        pq.write_table(table, path := folder / "rows.parquet")
    except pa.ArrowNotImplementedError:
        with pa.ipc.new_file(path := folder / "rows.arrow", table.schema) as file:
            file.write_table(table)
    return path


def last_extra(path: Path) -> Any:
    if path.suffix == ".jsonl":
        return json.loads(path.read_text(encoding="utf-8").splitlines()[-1])["extra"]
    extra = pq.read_table(path)["extra"]
    value = column_values(extra)[-1]
    return json.loads(value) if pq.read_schema(path).field("extra").metadata == TEXT else value


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_of_any_type_is_written(tmp_path: Path, name: str, suffix: str) -> None:
    column, last = COLUMNS[name]
    output = tmp_path / f"out{suffix}"
    summary = job(table_with(column, tmp_path), output)
    assert summary["rows"] == ROWS
    assert last_extra(output) == last


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_bad_row_of_a_file_whose_name_is_not_utf8_is_named(tmp_path: Path, suffix: str) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    named = folder / os.fsdecode(b"caf\xe9.jsonl")
    try:
        jsonl(named, [row(0), {"instruction": "no output"}, row(2)])
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    output = tmp_path / f"out{suffix}"
    assert job(folder, output)["bad_rows"] == 1
    (bad,) = (tmp_path / f"out{suffix}.quarantine.jsonl").read_text(encoding="utf-8").splitlines()
    assert f"{folder}/caf\ufffd.jsonl:2:" in json.loads(bad)["problem"]
