"""CSV as spreadsheets, pandas and databases write it."""

from __future__ import annotations

import io
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staragents.base.errors import BadInput
from staragents.data.readers.csv_rows import csv_rows
from staragents.data.readers.data_files import DataFiles
from staragents.data.readers.raw_row import BadRow, Problem, RawRow
from tests.support.growth import assert_linear

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


HEAD = "instruction,output\n"
GOOD = 'Name a colour.,"Say ""blue""."\n'
INTACT = {"instruction": "Name a colour.", "output": 'Say "blue".'}
SINGLE = {
    "a comma after the quote": '"Write a story","Once upon a time,\nhe said "yes", and left.\nThe end."\n',
    "a line that looks like a row": '"say hi","multi\nline with "bad quote\nsecond,third\nfourth"\n',
    "in the first column": '"he said "yes", and left.\nThe end,or so\nfin","A"\n',
    "in most lines": '"Write JSON","{\n"a": 1,\n"b": "x",\n\n"c": 1,2\n}"\n',
    "on one line": '"say "Ask 0." now",no\n',
    "in a row that is never closed": '"Ask 0.,no\nAsk 1.,"No."\n',
}


@pytest.mark.parametrize("name", SINGLE)
@pytest.mark.parametrize("after", [GOOD, f"{GOOD}\n", f"{GOOD}{GOOD.replace('colour', 'x')}", ""])
def test_a_single_quote_within_a_text_costs_its_row_and_makes_up_no_other(name: str, after: str) -> None:
    found = read(f"{HEAD}{GOOD}{SINGLE[name]}{after}")
    rows = [row.value for row in found if isinstance(row, RawRow)]
    assert rows[:2] == [INTACT] * (2 if after else 1)
    assert len(rows) == 1 + after.count("Name")
    bad = [row for row in found if isinstance(row, BadRow)]
    assert [row.row for row in bad] == [3]
    assert bad[0].problem.reason == "expected quotes within a quoted text to be written twice"
    lines = SINGLE[name].count("\n")
    hint = f"; what may belong to it is left out, up to line {2 + lines}" if lines > 1 else ""
    assert bad[0].problem.hint == hint
    numbers = [row.row for row in found if isinstance(row, RawRow)]
    assert numbers[:2] == ([2, 3 + lines] if after else [2])


def test_rows_without_quotes_follow_a_row_that_looks_whole() -> None:
    found = read(f'{HEAD}"say "Ask 0." now",no\nAsk 1.,Yes.\n\nAsk 2.,No.\n')
    assert [row.row for row in found] == [2, 3, 5]


PLAIN = [f"Question {number},Answer {number}\n" for number in range(2, 502)]
"""The rows of lines 2 to 501."""
BAD_ROW = '"He said "hi" to me",yes\n'
AMONG_PLAIN = {
    "two bad rows": ({11: BAD_ROW, 401: BAD_ROW}, [11, 401]),
    "two bad rows that follow each other": ({11: BAD_ROW, 12: BAD_ROW}, [11, 12]),
    "two that end with a quoted word": (dict.fromkeys((11, 401), 'Ask,"He said "hi""\n'), [11, 401]),
    "a comma after the quote": ({11: 'Ask,"He said "hi", and left."\n'}, [11]),
    "a short row at the end": ({11: BAD_ROW, 501: "Question 501\n"}, [11]),
    "a short row alone after it": ({500: BAD_ROW, 501: "Question 501\n"}, [500]),
    "a space after a separator": ({11: BAD_ROW, 501: "Question 501, Answer 501\n"}, [11]),
    "a space after each separator": (
        {11: BAD_ROW} | {n: PLAIN[n - 2].replace(",", ", ") for n in range(2, 502) if n != 11},
        [11],
    ),
    "too many values": ({11: BAD_ROW, 301: "Question 301, a, b\n"}, [11, 301]),
    "a quote without quotes around it": ({11: BAD_ROW, 301: 'Question 301,a 5" pipe\n'}, [11]),
    "a row in quotes after a short one": (
        {11: BAD_ROW, 301: "Question 301\n", 401: 'Question 401,"a, b"\n'},
        [11],
    ),
}
"""Rows in the place of others, by line, and the lines of those that are bad."""


@pytest.mark.parametrize("name", AMONG_PLAIN)
def test_a_bad_row_that_looks_whole_costs_no_other(name: str) -> None:
    others, lines = AMONG_PLAIN[name]
    found = read(HEAD + "".join(others.get(number, row) for number, row in enumerate(PLAIN, start=2)))
    assert [row.row for row in found if isinstance(row, BadRow)] == lines
    assert [row.row for row in found] == list(range(2, 502))


TALK = '"Write a talk","He said "hi"\nwell,then\nAnd, so it ended.\n"bye" he said,and "well"\nThe end."\n'


def test_lines_of_a_text_that_look_like_rows_are_counted_as_bad_ones() -> None:
    found = read(f"{HEAD}{TALK}{GOOD}")
    problems = {row.row: str(row.problem.got) for row in found if isinstance(row, BadRow)}
    assert problems == {2: 'one " within it', 3: "a row that may be a part of the text in line 2"}
    assert [row.row for row in found if isinstance(row, RawRow)] == [7]


def test_rows_that_a_text_may_hold_are_counted_as_bad_ones() -> None:
    rows = "".join(PLAIN[:20])
    found = read(f'{HEAD}"Make CSV","Here is "it"\n{rows}so,a 5"\n{GOOD}')
    assert [row.row for row in found if isinstance(row, RawRow)] == [24]
    assert [row.row for row in found if isinstance(row, BadRow)] == list(range(2, 23))


def test_rows_that_follow_the_end_of_a_text_are_read() -> None:
    found = read(f'{HEAD}"Write a talk","He "said" so\n"\n{"".join(PLAIN[:3])}')
    assert [row.row for row in found] == [2, 4, 5, 6]


CELLS = st.lists(st.sampled_from(["hi", "to me", "a,b", "so, then", 'a ""b"" c']), min_size=1, max_size=3)
TEXTS = CELLS.map("\n".join)
STRAY = ['he said "hi" to me', 'a 5" pipe', 'a "b c" d, then', '"hi" he said']


@st.composite
def csv_rows_of_two(draw: st.DrawFn) -> tuple[str, list[str] | None, bool]:
    """A row as text, its values if it is good, and whether it looks whole up to the first single quote."""
    kind = draw(st.sampled_from(["plain", "good", "bad"]))
    if kind == "plain":
        values = [draw(st.sampled_from(["hi", "to me", ""])), draw(st.sampled_from(["hi", "to me"]))]
        return ",".join(values) + "\n", values, True
    if kind == "good":
        texts = draw(st.lists(st.sampled_from(["hi", "to me"]) | TEXTS, min_size=2, max_size=2))
        return (
            ",".join(f'"{text}"' for text in texts) + "\n",
            [text.replace('""', '"') for text in texts],
            True,
        )
    lines = draw(st.lists(st.sampled_from(["hi", "to me"]), min_size=1, max_size=3))
    at = draw(st.integers(0, len(lines) - 1))
    lines[at] = f"so {draw(st.sampled_from(STRAY))} then"
    cells = draw(st.permutations(['"' + "\n".join(lines) + '"', draw(st.sampled_from(["yes", '"no, no"']))]))
    return ",".join(cells) + "\n", None, at == len(lines) - 1


@given(st.lists(csv_rows_of_two(), max_size=12))
def test_no_row_is_made_up_and_none_is_lost_after_a_bad_row_that_looks_whole(
    rows: list[tuple[str, list[str] | None, bool]],
) -> None:
    good: dict[int, list[str]] = {}
    kept: set[int] = set()
    line, is_sure = 2, True
    for text, values, looks_whole in rows:
        if values is None:
            is_sure = looks_whole
        else:
            good[line] = values
            kept |= {line} if is_sure else set()
        line += text.count("\n")
    try:
        found = read(HEAD + "".join(text for text, _, _ in rows))
    except BadInput:
        assert not all(looks_whole for _, _, looks_whole in rows)
        return
    read_rows = {row.row: list(row.value.values()) for row in found if isinstance(row, RawRow)}
    assert read_rows.items() <= good.items()
    assert kept <= read_rows.keys()


@pytest.mark.parametrize("after", ["About 1,000 people came.\n", "and left\n", "\n"])
def test_a_file_whose_rows_cannot_be_told_ends_with_one_line(after: str) -> None:
    with pytest.raises(BadInput, match=r"rows\.csv:3: not CSV: the end of a row can't be told"):
        read(f'{HEAD}{GOOD}"Write a story","He said "yes" and\n{after}')


def test_rows_far_beyond_the_longest_text_are_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("staragents.data.readers.csv_recovery.LOOKAHEAD_CHARACTERS", 100)
    plain = "a,b\n" * 100
    assert len(read(f'{HEAD}"say "Ask 0." now",no\n{plain}')) == 101
    with pytest.raises(BadInput, match=r"rows\.csv:2: not CSV"):
        read(f'{HEAD}"Write a story","He said "yes" and\n{plain}')


@pytest.mark.parametrize(
    ("row", "values"),
    [
        ('"first line\nsecond line" ,"A"\n', ("first line\nsecond line", "A")),
        ('"first line\nsecond line" ,"A\nB" \n', ("first line\nsecond line", "A\nB")),
        ('"say ""x"" , now" ,A\n', ('say "x" , now', "A")),
        ('"Q" ,5" pipe\n', ("Q", '5" pipe')),
    ],
)
def test_spaces_after_a_quoted_text_of_any_number_of_lines_are_dropped(
    row: str, values: tuple[str, str]
) -> None:
    lines = row.count("\n")
    assert read(f"{HEAD}{row}{GOOD}") == [
        RawRow(2, dict(zip(("instruction", "output"), values, strict=True))),
        RawRow(2 + lines, INTACT),
    ]


def test_any_separator_that_the_first_line_names_may_have_padding() -> None:
    assert read('sep=^\na^b\n"1" ^"2"\n') == [RawRow(3, {"a": "1", "b": "2"})]


@pytest.mark.parametrize(
    "row",
    [
        '"a","b "c"\n',
        '"say "x" now",no\n',
        'a,"b\n"c"\n',
        '"a" ,"b\n',
        'a,b\n"c "d",e\n',
        '"say "x" now",no\na,b\n"c "d\n',
        '"say "x" now",no\na\n5" pipe,b\n',
    ],
)
def test_bad_rows_take_linear_time(row: str) -> None:
    def work(size: int) -> None:
        with suppress(BadInput):
            read(HEAD + row * size)

    assert_linear(work, 3000)
