"""Files of rows: the same content in both formats, atomic with `replacing`."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from staragents.data.row_file import ROWS_PER_GROUP, RowFile
from staragents.files.atomic_file import replacing

SCHEMA = pa.schema([("id", pa.int64()), ("text", pa.string())])


def write(path: Path, rows: int) -> int:
    with replacing(path) as temporary, RowFile(temporary, SCHEMA, path.suffix) as file:
        for number in range(rows):
            file.add({"text": "é\n", "id": number, "other": 1})
    return file.rows


@pytest.mark.parametrize("rows", [0, 1, ROWS_PER_GROUP, ROWS_PER_GROUP + 1])
def test_both_formats_hold_the_columns_of_the_schema(tmp_path: Path, rows: int) -> None:
    expected = [{"id": number, "text": "é\n"} for number in range(rows)]
    assert write(tmp_path / "f.parquet", rows) == write(tmp_path / "f.jsonl", rows) == rows
    table = pq.read_table(tmp_path / "f.parquet")
    assert (table.schema, table.to_pylist()) == (SCHEMA, expected)
    lines = (tmp_path / "f.jsonl").read_text(encoding="utf-8").splitlines()
    assert lines == [json.dumps(row, ensure_ascii=False) for row in expected]


@pytest.mark.parametrize("name", ["f.parquet", "f.jsonl"])
def test_an_error_keeps_the_old_file_and_leaves_nothing_else(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write(path, 1)
    before = path.read_bytes()

    def fail() -> None:
        with replacing(path) as temporary, RowFile(temporary, SCHEMA, path.suffix) as file:
            file.add({"id": 1, "text": "x"})
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_temporary_file_may_be_in_another_folder(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    with replacing(tmp_path / "f", tmp_path / "parts") as temporary:
        assert temporary.parent == tmp_path / "parts"
        temporary.write_text("new")
    assert (tmp_path / "f").read_text() == "new"
    assert not list((tmp_path / "parts").iterdir())
