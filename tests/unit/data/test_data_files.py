"""A dataset's files as rows: every format, streamed, and unusable files."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from staragents.base.errors import BadInput
from staragents.data.readers.content import Content
from staragents.data.readers.csv_rows import csv_rows
from staragents.data.readers.data_files import DataFiles
from staragents.data.readers.json_rows import json_rows
from staragents.data.readers.raw_row import BadRow, Problem, RawRow
from staragents.data.readers.row_messages import KNOWN_COLUMNS

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
ROWS = [{"instruction": f"Say {n}.", "output": f"It is {n}, \u00e9\n\u4e2d."} for n in range(5)]


def table(rows: list[dict[str, str]]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return sink.getvalue()


def comma_separated(rows: list[dict[str, str]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


FORMS = {
    "rows.jsonl": b"".join(json.dumps(row).encode() + b"\n" for row in ROWS),
    "rows.json": json.dumps(ROWS, indent=1).encode(),
    "rows.csv": comma_separated(ROWS),
    "rows.parquet": table(ROWS),
}


def values(path: Path, limit: int | None = None) -> list[Any]:
    blocks = DataFiles(path, KNOWN_COLUMNS, limit).blocks()
    return [row.value if isinstance(row, RawRow) else row for block in blocks for row in block.rows]


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("packed", [False, True])
def test_every_format_gives_the_same_rows(tmp_path: Path, name: str, packed: bool) -> None:
    path = tmp_path / (f"{name}.gz" if packed else name)
    path.write_bytes(gzip.compress(FORMS[name]) if packed else FORMS[name])
    assert values(path) == ROWS
    assert values(path, limit=3) == ROWS[:3]


def test_a_folder_means_all_its_files_in_name_order(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for path, name in ((tmp_path / "b.csv", "rows.csv"), (tmp_path / "sub" / "c.parquet", "rows.parquet")):
        path.write_bytes(FORMS[name])
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(FORMS["rows.jsonl"]))
    (tmp_path / "README.md").write_text("no data")
    (tmp_path / ".hidden.json").write_text("oops")
    assert values(tmp_path) == 3 * ROWS
    assert values(tmp_path, limit=7) == [*ROWS, *ROWS[:2]]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("rows.txt", b"hello", "expected JSONL, JSON, CSV (named .csv), Parquet or Arrow"),
        ("rows.parquet", b"PAR1 but not really", "not a readable Parquet"),
        ("rows.json", b'[{"a": 1}, oops]', ":1: not JSON: Expecting value at column 12"),
        ("rows.csv", b"output,output\n1,2\n", "expected unique columns, got 'output' twice"),
        ("rows.jsonl.gz", gzip.compress(FORMS["rows.jsonl"] * 50)[:-20], "the gzip file is damaged"),
    ],
)
def test_an_unusable_file_is_named(tmp_path: Path, name: str, content: bytes, expected: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput) as caught:
        values(tmp_path / name)
    (line,) = caught.value.problems
    assert expected in line
    assert name in line


@pytest.mark.parametrize("length", [2**40, 2**62, 2**63 - 1])
def test_an_arrow_stream_that_claims_more_bytes_than_any_memory_has_is_named(
    tmp_path: Path, length: int
) -> None:
    table, sink = pa.Table.from_pylist(ROWS), io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    messages = pa.ipc.MessageReader.open_stream(io.BytesIO(sink.getvalue()))
    size = [messages.read_next_message() for _ in range(2)][1].body.size.to_bytes(8, "little")
    assert sink.getvalue().count(size) == 1
    (tmp_path / "rows.arrow").write_bytes(sink.getvalue().replace(size, length.to_bytes(8, "little")))
    with pytest.raises(BadInput, match=r"rows\.arrow: not a readable Arrow file"):
        values(tmp_path / "rows.arrow")


def test_a_missing_path_is_bad_input(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.jsonl"):
        with pytest.raises(BadInput, match="DATA: expected"):
            DataFiles(path, KNOWN_COLUMNS)


def test_only_the_csv_row_that_does_not_fit_its_header_is_bad() -> None:
    content = b'instruction,output\n"two\nlines",x\na,b,c\n"\xff",d\n\ne,f\n'
    found = list(csv_rows(io.BytesIO(content), "rows.csv"))
    assert found == [
        RawRow(2, {"instruction": "two\nlines", "output": "x"}),
        BadRow(4, Problem("row", "expected 2 fields as in the header", "3")),
        BadRow(5, Problem("instruction", "expected UTF-8", "the byte 0xff")),
        RawRow(7, {"instruction": "e", "output": "f"}),
    ]


@given(st.lists(JSON, max_size=6), st.sampled_from([None, 1]), st.booleans(), st.integers(1, 40))
def test_an_array_read_in_pieces_equals_json_loads(
    rows: list[Any], indent: int | None, ascii_only: bool, block: int
) -> None:
    try:
        content = json.dumps(rows, indent=indent, ensure_ascii=ascii_only).encode()
    except UnicodeEncodeError:
        content = json.dumps(rows, indent=indent).encode()
    with (
        patch("staragents.data.readers.json_rows.BLOCK_BYTES", block),
        patch("staragents.data.readers.json_array.BLOCK_BYTES", block),
    ):
        found = list(json_rows(Content(io.BytesIO(content)), "rows.json"))
    assert [row.value for row in found if isinstance(row, RawRow)] == json.loads(content)
    assert [row.row for row in found] == list(range(1, len(rows) + 1))


@given(st.binary(max_size=40).map(lambda inner: b"[" + inner), st.integers(1, 8))
def test_any_bytes_are_rows_or_bad_input(content: bytes, block: int) -> None:
    with patch("staragents.data.readers.json_array.BLOCK_BYTES", block):
        try:
            expected = json.loads(content.decode())
        except ValueError:
            with pytest.raises(BadInput):
                list(json_rows(Content(io.BytesIO(content)), "rows.json"))
            return
        found = list(json_rows(Content(io.BytesIO(content)), "rows.json"))
    assert repr([row.value for row in found if isinstance(row, RawRow)]) == repr(expected)


def test_an_array_on_one_line_is_not_loaded_whole() -> None:
    class Counted(io.BytesIO):
        taken = 0

        def readline(self, size: int | None = -1) -> bytes:
            line = super().readline(size)
            self.taken += len(line)
            return line

        def read(self, size: int | None = -1) -> bytes:
            data = super().read(size)
            self.taken += len(data)
            return data

    stream = Counted(json.dumps([{"text": "x" * 1000}] * 10_000).encode())
    next(iter(json_rows(Content(stream), "rows.json")))
    assert stream.taken < 3 << 20
