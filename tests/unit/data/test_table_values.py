"""Cells of tables that Python can't represent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from staragents.config import SeedsConfig
from staragents.data.readers.data_files import DataFiles
from staragents.data.readers.raw_row import BadRow, RawRow
from staragents.data.readers.table_values import column_values, table_values
from staragents.data.seed_file import SeedFile

ROWS = 3
NOT_UTF8 = pa.array([b"fine", b"caf\xe9 now", None]).view(pa.string())
LATE = pa.array([506804860800000000, 0, None]).cast(pa.timestamp("us"))

CELLS: dict[str, tuple[pa.Array, list[Any]]] = {
    "text": (NOT_UTF8, ["fine", "caf\ufffd now", None]),
    "large text": (
        pa.array([b"caf\xe9"], pa.large_binary()).view(pa.large_string()),
        ["caf\ufffd"],
    ),
    "text of a dictionary": (
        pa.DictionaryArray.from_arrays(pa.array([1, 0, None]), NOT_UTF8.slice(0, 2)),
        ["caf\ufffd now", "fine", None],
    ),
    "runs of equal dates": (
        pa.RunEndEncodedArray.from_arrays(pa.array([2], pa.int32()), LATE.slice(0, 1)),
        ["18030-01-03 00:00:00.000000"] * 2,
    ),
    "lists": (pa.ListArray.from_arrays([0, 2, 3], NOT_UTF8), [["fine", "caf\ufffd now"], [None]]),
    "objects": (
        pa.StructArray.from_arrays([NOT_UTF8], ["a"]),
        [{"a": "fine"}, {"a": "caf\ufffd now"}, {"a": None}],
    ),
    "maps": (
        pa.MapArray.from_arrays([0, 2, 3], pa.array(["a", "b", "a"]), NOT_UTF8),
        [[("a", "fine"), ("b", "caf\ufffd now")], [("a", None)]],
    ),
    "a date after 9999": (LATE.slice(0, 1), ["18030-01-03 00:00:00.000000"]),
}


@pytest.mark.parametrize("name", CELLS)
def test_a_cell_that_python_cannot_represent_is_text(name: str) -> None:
    cells, expected = CELLS[name]
    assert column_values(pa.chunked_array([cells])) == expected


def test_readable_cells_beside_unreadable_ones_stay() -> None:
    table = pa.table({"note": NOT_UTF8, "number": [1, 2, 3]})
    assert table_values(table)[1:] == [
        {"note": "caf\ufffd now", "number": 2},
        {"note": None, "number": 3},
    ]
    assert table_values(pa.table({})) == []


@pytest.mark.parametrize("column", ["note", "split"])
def test_text_that_is_not_utf8_in_a_column_beside_a_conversation_ends_nothing(
    tmp_path: Path, column: str
) -> None:
    """Bytes of another encoding that a writer says are text."""
    asked, said = ([f"{word} {n}." for n in range(ROWS)] for word in ("Ask", "Say"))
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"instruction": asked, "output": said, column: NOT_UTF8}), path)
    scan = SeedFile(SeedsConfig(path=str(path))).scan()
    assert (scan.seeds, scan.bad_rows) == (ROWS, 0)


def test_an_unreadable_date_makes_no_bad_row_but_an_unreadable_text_does(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"ask": NOT_UTF8, "at": LATE}), path)
    # Without columns of a conversation, all are read.
    (block,) = DataFiles(path, ()).blocks()
    first, second, third = block.rows
    assert isinstance(second, BadRow)
    assert second.problem.field == "ask"
    values = [row.value for row in (first, third) if isinstance(row, RawRow)]
    assert values == [{"ask": "fine", "at": "18030-01-03 00:00:00.000000"}, {"ask": None, "at": None}]
