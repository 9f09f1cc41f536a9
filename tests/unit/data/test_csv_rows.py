"""CSV as spreadsheets, pandas and databases write it."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from staragents.base.errors import BadInput
from staragents.data.readers.csv_rows import csv_rows
from staragents.data.readers.data_files import DataFiles
from staragents.data.readers.raw_row import BadRow, Problem, RawRow

AB = {"instruction": "a, b?", "output": "c"}


def read(text: str | bytes, columns: tuple[str, ...] = ()) -> list[RawRow | BadRow]:
    return list(csv_rows(io.BytesIO(text.encode() if isinstance(text, str) else text), "rows.csv", columns))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('instruction,output,,\n"a, b?",c,,\n', 2),
        ('instruction,output,,\n"a, b?",c\n', 2),
        ('instruction,output\n"a, b?",c,,\n', 2),
        ('instruction,output\n"a, b?",c\n,\n,,,\n\n', 2),
        (',,\ninstruction,output,\n"a, b?",c,\n', 3),
        ('\r\ninstruction,output\r\n"a, b?",c\r\n', 3),
        ("sep=;\ninstruction;output\na, b?;c\n", 3),
        ('"sep=|"\r\ninstruction|output\r\na, b?|c\r\n', 3),
        ("\ufeffinstruction|output\na, b?|c\n", 2),
        ("\ufeffsep=\t\ninstruction\toutput\na, b?\tc\n", 3),
        ('"instruction", "output"\n"a, b?", "c"\n', 2),
        (' instruction ;output\n"a, b?";c\n', 2),
        ('instruction,output\r"a, b?",c\r', 2),
    ],
)
def test_each_dialect_gives_the_same_row(text: str, line: int) -> None:
    assert read(text) == [RawRow(line, AB)]


def test_separators_in_quoted_names_do_not_count() -> None:
    assert read('"a,b,c";"d"\n1;2\n') == [RawRow(2, {"a,b,c": "1", "d": "2"})]


def test_columns_without_a_name_are_kept_where_they_hold_something() -> None:
    assert read(",instruction,output,\n0,a,b,\n1,c,d,note\n") == [
        RawRow(2, {"Unnamed: 0": "0", "instruction": "a", "output": "b"}),
        RawRow(3, {"Unnamed: 0": "1", "instruction": "c", "output": "d", "Unnamed: 3": "note"}),
    ]


def test_a_short_row_lacks_its_last_values_and_a_long_one_is_bad() -> None:
    assert read("instruction,input,output\na\na,b,c,d\n") == [
        RawRow(2, {"instruction": "a", "input": "", "output": ""}),
        BadRow(3, Problem("row", "expected 3 fields as in the header", "4")),
    ]


def test_a_line_break_in_quotes_belongs_to_its_cell() -> None:
    assert read('instruction,output\n"a\r\n\r\nb",c\nd,e\n') == [
        RawRow(2, {"instruction": "a\r\n\r\nb", "output": "c"}),
        RawRow(5, {"instruction": "d", "output": "e"}),
    ]


@pytest.mark.parametrize("text", ["", "\n\n", ",,,\n", "instruction,output\n", "sep=;\n"])
def test_a_file_without_rows_has_none(text: str) -> None:
    assert read(text) == []


def test_a_column_of_a_conversation_that_occurs_twice_is_one_line() -> None:
    with pytest.raises(BadInput, match=r"rows\.csv:2: expected unique columns, got 'a' twice"):
        read("\na, a,\n1,2,\n", columns=("a",))


def test_any_other_column_may_occur_twice() -> None:
    (row,) = read("a,note,note,note\n1,2,3,4\n", columns=("a",))
    assert row == RawRow(2, {"a": "1", "note": "2", "note.1": "3", "note.2": "4"})


@pytest.mark.parametrize("head", [b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"])
def test_a_workbook_that_is_named_csv_is_one_line(tmp_path: Path, head: bytes) -> None:
    (tmp_path / "rows.csv").write_bytes(head + bytes(99))
    with pytest.raises(BadInput, match=r"rows\.csv: expected CSV, got an Excel workbook; export it as CSV"):
        list(DataFiles(tmp_path / "rows.csv", ()).blocks())


def test_repeated_columns_never_hide_one_that_has_their_new_name() -> None:
    assert read("a,a,a.1,a\n1,2,3,4\n") == [RawRow(2, {"a": "1", "a.1": "2", "a.1.1": "3", "a.2": "4"})]
